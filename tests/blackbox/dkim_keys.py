"""Keys made by postern dkim keygen, the records it prints, and verifiers of DKIM that aren't ours: dkimpy, OpenDKIM's
test mode, npm's mailauth. Each gets a folder of .eml and answers {stem: [True or what is wrong, for each signature]};
what DNS would say comes from `records`, {name: text}."""

import json
import re
import subprocess

import dkim

from .places import TOOLS, scratch
from .postern import run

MAILAUTH = r"""
const { readdirSync, readFileSync } = require('fs');
const { basename, join } = require('path');
const { dkimVerify } = require('mailauth/lib/dkim/verify');
const records = JSON.parse(readFileSync(process.argv[3]));
const resolver = async (name, type) => {
    if (type === 'TXT' && records[name]) return [[records[name]]];
    throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
};
(async () => {
    const verdicts = {};
    for (const file of readdirSync(process.argv[2]).sort()) {
        const { results } = await dkimVerify(readFileSync(join(process.argv[2], file)), { resolver });
        verdicts[basename(file, '.eml')] = results.map(({ status }) =>
            status.result === 'pass' && !status.underSized ? true : `${status.result} ${status.comment ?? ''}`);
    }
    process.stdout.write(JSON.stringify(verdicts));
})();
"""


def make_key(folder, domain, selector, *options):
    """(path, name of the record, its text)"""
    path = folder / f"{selector}.{domain}.pem"
    done = run("dkim", "keygen", *options, "--out", str(path), domain, selector)
    assert done.returncode == 0, done
    name, _, rest = done.stdout.decode().partition(" IN TXT ")
    strings = re.findall(r'"([^"]*)"', rest.partition("\n")[0])
    assert strings and max(map(len, strings)) <= 255
    return path, name.removesuffix("."), "".join(strings)


def by_dkimpy(folder, records):
    def look_up(name, timeout=5):
        text = records.get(name.decode().removesuffix("."))
        return text and text.encode()

    verdicts = {}
    for path in sorted(folder.glob("*.eml")):
        raw = path.read_bytes()
        verifier, found = dkim.DKIM(raw), []
        for index in range(raw.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")):
            try:
                found.append(verifier.verify(idx=index, dnsfunc=look_up) or "not verified")
            except dkim.DKIMException as e:
                found.append(str(e))
        verdicts[path.stem] = found
    return verdicts


def by_opendkim(folder, records):
    place = scratch("opendkim")
    (place / "dns").write_text("".join(f"{name} {text}\n" for name, text in records.items()))
    (place / "conf").write_text(f"Mode v\nTestDNSData file:{place}/dns\n")
    paths = sorted(folder.glob("*.eml"))
    verdicts = {path.stem: [] for path in paths}
    for at in range(0, len(paths), 100):
        files = ",".join(map(str, paths[at:at + 100]))
        done = subprocess.run(["/usr/sbin/opendkim", "-x", place / "conf", "-vv", "-t", files],
                              capture_output=True, check=False, timeout=120)
        found = []  # of the file that it names next
        for line in done.stdout.decode(errors="replace").splitlines():
            if verdict := re.match(r"\s+dkim=(.*)", line):
                found.append(True if verdict[1].startswith("pass") else verdict[1])
            elif named := re.match(r"opendkim: (.*?\.eml): verification", line):
                verdicts[named[1].rpartition("/")[2].removesuffix(".eml")] = found
                found = []
    return verdicts


def by_mailauth(folder, records):
    place = scratch("mailauth")
    (place / "records").write_text(json.dumps(records))
    (place / "verify.js").write_text(MAILAUTH)
    done = subprocess.run(["node", place / "verify.js", folder, place / "records"], capture_output=True, check=False,
                          timeout=120, env={"PATH": "/usr/bin:/usr/local/bin", "NODE_PATH": str(TOOLS / "node/node_modules")})
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
