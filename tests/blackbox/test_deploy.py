"""docker-compose.yaml and what it mounts, without Docker: that Postern starts with what is set there, that every secret is
mounted where it is looked for, and that the balancer sends to services that there are. And the image's build: that it is
given all that it is made of."""

import os
import re
import shutil
import subprocess
from fnmatch import fnmatch

import pytest
import yaml

from .places import REPO, scratch
from .postern import Postern, run

SECRETS = {"relay": "smtp://user:password@smtp.example.com:587", "api_keys": "0123456789abcdef" * 3}


@pytest.fixture(name="compose", scope="module")
def _compose():
    return yaml.safe_load((REPO / "docker-compose.yaml").read_text(encoding="utf-8"))


def posterns(compose):
    return {name: s for name, s in compose["services"].items() if s.get("image") == "postern"}


def settings(service, folder):
    """What the service sets, with secrets that lie in the folder."""
    lying = {"queue": f"sqlite:{folder}/kept", **SECRETS}
    for name, text in lying.items():
        (folder / name).write_text(text, encoding="utf-8")
    given = {}
    for name, value in service["environment"].items():
        assert name.startswith("POSTERN_")
        given[name.removeprefix("POSTERN_").lower()] = str(value).replace("/run/secrets", str(folder))
    given.pop("listen")
    return given


def test_there_are_two_of_one_kind(compose):
    first, second = posterns(compose).values()
    assert first == second


def test_postern_starts_with_its_settings(compose):
    for service in posterns(compose).values():
        with Postern(**settings(service, scratch("secrets"))) as postern:
            assert postern.get("/readyz").status == 200


def test_a_setting_that_there_is_not_would_be_seen(compose):
    service = next(iter(posterns(compose).values()))
    done = run("serve", **settings(service, scratch("secrets")), relay_fiel="x")
    assert done.returncode == 78
    assert b"POSTERN_RELAY_FIEL" in done.stderr


def test_every_secret_is_there_where_it_is_looked_for(compose):
    used = set()
    for name, service in compose["services"].items():
        mounted = set(service.get("secrets", []))
        wanted = set(re.findall(r"/run/secrets/(\w+)", " ".join(map(str, service.get("environment", {}).values()))))
        assert wanted == mounted, name
        used |= mounted
    assert used == set(compose["secrets"])
    head = (REPO / "docker-compose.yaml").read_text(encoding="utf-8").partition("\nname:")[0]
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert f">{name}" in head, f"what makes secrets/{name} is not told"


def test_services_wait_for_those_that_say_when_they_are_ready(compose):
    for name, service in compose["services"].items():
        for other, how in service.get("depends_on", {}).items():
            assert other in compose["services"], name
            healthy = other in posterns(compose) or "healthcheck" in compose["services"][other]
            assert how["condition"] != "service_healthy" or healthy, (name, other)
            assert set(service["networks"]) & set(compose["services"][other]["networks"]), (name, other)


def test_the_balancer_sends_to_all_of_them(compose):
    balancer = compose["services"]["balancer"]
    path, _, _ = balancer["volumes"][0].partition(":")
    text = (REPO / path).read_text(encoding="utf-8")
    servers = dict(re.findall(r"^\s+server \S+ ([\w-]+):(\d+)$", text, re.MULTILINE))
    port = next(iter(posterns(compose).values()))["environment"]["POSTERN_LISTEN"].rpartition(":")[2]
    assert servers == {name: port for name in posterns(compose)}
    _, _, inside = balancer["ports"][0].rpartition(":")
    assert re.search(rf"^\s+bind :{inside}$", text, re.MULTILINE)


def test_volumes_and_networks_are_declared(compose):
    for service in compose["services"].values():
        assert set(service.get("networks", [])) <= set(compose["networks"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (REPO / source).exists(), volume


def kept_by_the_ignore_file(name):
    """Whether a file or folder of the repository's root is given to the build: the last line that fits says so."""
    kept = True
    for line in (REPO / ".dockerignore").read_text(encoding="utf-8").split():
        if fnmatch(name, line.removeprefix("!")):
            kept = line.startswith("!")
    return kept


def what_make_would_do(folder):
    """Not as a part of the make that runs the tests: it would tell which folder it is in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", "BUILD=made-for-the-image", "made-for-the-image/postern"], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, sorted(done.stdout.splitlines())


def test_the_image_is_built_of_all_that_the_program_is_made_of():
    copied = scratch("image")
    lines = re.findall(r"^COPY (?!--)(.+)$", (REPO / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for *sources, _ in map(str.split, lines):
        for source in filter(kept_by_the_ignore_file, sources):
            copy = shutil.copytree if (REPO / source).is_dir() else shutil.copy
            copy(REPO / source, copied / source)
    code, steps = what_make_would_do(REPO)
    assert (code, len(steps) > 100) == (0, True)
    assert what_make_would_do(copied) == (code, steps)
