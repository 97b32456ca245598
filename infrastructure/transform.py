"""What AWS makes of template.yaml: the SAM transform, on this machine and without an account.

It keeps tests/infrastructure/transformed.json, on which the tests of the rules run with no more
than the tests' own packages: aws-sam-translator asks for an older pydantic than ours, so it is in
.venv-deploy. `--check` fails when the file is not what template.yaml becomes now.
"""

import argparse
import hashlib
import json
import sys
from typing import Any

import boto3
from samcli.yamlhelper import (  # type: ignore[import-not-found]  # it is in .venv-deploy alone
    yaml_parse,
)
from samtranslator.parser.parser import (  # type: ignore[import-not-found]  # as above
    Parser,
)
from samtranslator.translator.translator import (  # type: ignore[import-not-found]  # as above
    Translator,
)

from infrastructure.template import DIGEST, TEMPLATE, TRANSFORMED, digest

REGION = "eu-central-1"
"""The transform wants one, and puts it nowhere."""

UPLOADED = "s3://bucket/package.zip"
"""As `sam deploy` puts the address of each package where template.yaml has its folder."""

STAMP_DIGITS = 10
"""How much of a SHA-256 is in the name of a deployment of the API; SAM takes as many."""


def transform(template: str) -> dict[str, Any]:
    """Transform a template, its parameters left open as far as SAM leaves them.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: SAM refuses the template.
    """
    parsed = json.loads(json.dumps(yaml_parse(template)))
    parsed["Globals"]["Function"]["CodeUri"] = UPLOADED
    # SAM would name each deployment of the API by the time: here by its definition.
    del parsed["Resources"]["Api"]["Properties"]["AlwaysDeploy"]
    # SAM would put defaults in the place of references; so it is not told of any.
    defaults = {
        name: parameter.pop("Default")
        for name, parameter in parsed["Parameters"].items()
        if "Default" in parameter
    }
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    transformed: dict[str, Any] = translator.translate(parsed, parameter_values={})
    for name, default in defaults.items():
        transformed["Parameters"][name]["Default"] = default
    transformed["Metadata"][DIGEST] = digest(template)
    return _renamed(transformed)


def _renamed(template: dict[str, Any]) -> dict[str, Any]:
    """The template with the API's deployment called after the whole API.

    SAM calls it after the definition alone. A new resource policy would not be served then, since
    it is no part of that, and needs a new deployment all the same.
    """
    told = json.dumps(template["Resources"]["Api"]["Properties"], sort_keys=True).encode()
    stamp = hashlib.sha256(told).hexdigest()[:STAMP_DIGITS]
    [name] = [
        name
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::ApiGateway::Deployment"
    ]
    text = json.dumps(template).replace(f'"{name}"', f'"ApiDeployment{stamp}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def main() -> None:
    """Write the transformed template, or check that the one written is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    told = parser.parse_args()
    made = json.dumps(transform(TEMPLATE.read_text("utf-8")), indent=1) + "\n"
    if not told.check:
        TRANSFORMED.write_text(made, "utf-8")
    elif TRANSFORMED.read_text("utf-8") != made:
        sys.exit(f"{TRANSFORMED} is not what template.yaml becomes: run `make template`")


if __name__ == "__main__":
    main()
