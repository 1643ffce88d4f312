"""What setup.cfg cannot say: the wheel holds one shipped model, as data at mcc_zoo/exported_models."""

from pathlib import Path

from setuptools import find_packages, setup

SHIPPED = "mcclstm_pretrained"
VERSIONS = Path(__file__).parent / "exported_models" / SHIPPED
NEWEST = max(int(version.name) for version in VERSIONS.iterdir() if version.name.isdecimal())

setup(
    packages=[*find_packages(include=["mcc_zoo", "mcc_zoo.*"]), "mcc_zoo.exported_models"],
    package_dir={"mcc_zoo.exported_models": "exported_models"},
    package_data={
        "mcc_zoo": ["**/*.pyi", "**/*.html", "**/*.css", "**/*.js", "**/*.j2"],
        "mcc_zoo.exported_models": [f"{SHIPPED}/{NEWEST}/**"],
    },
)
