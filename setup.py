"""Where the packages are; everything else is in pyproject.toml.

The flows run from a clone as `flows`, a name too common to install: the wheel holds them as
`labelops_flows`, with the samples of `labelops demo` beside them.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        *find_namespace_packages(include=["labelops", "labelops.*"]),
        "labelops_flows",
        "labelops_flows.sample_data.tickets",
    ],
    package_dir={"labelops_flows": "flows", "labelops_flows.sample_data": "sample_data"},
    package_data={
        "labelops": ["py.typed"],
        "labelops.adapters": ["label-studio.lock"],
        "labelops.report.templates": ["*"],
        "labelops_flows": ["py.typed"],
        "labelops_flows.sample_data.tickets": ["*"],
    },
    include_package_data=False,
)
