"""Labels become findings: wrong labels, weak annotators, duplicates that disagree.

`audit_noise` runs one audit; `suspects` chooses what people look at; `open_findings` says what
nobody has settled yet; `judge_annotators` and `anchoring` judge the people.
"""
