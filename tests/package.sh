#!/usr/bin/env bash
# Builds the collection as it is released, has Galaxy's importer check it, installs it into an empty folder, and runs the
# demo with the installed playbook by its full name: what a user gets, away from this checkout. (A name with a hyphen, as
# ets6-network.yml has, works as a path only; it imports enforce.yml.)
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

touch "$place/ansible.cfg" # not the checkout's
export ANSIBLE_CONFIG=$place/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$place/collections
ansible-galaxy collection build --output-path "$place/dist" .
ansible-galaxy collection install --offline --collections-path "$place/collections" "$place"/dist/ets6-network-*.tar.gz

# What is released holds what a user needs, and nothing of the workshop.
installed=$place/collections/ansible_collections/ets6/network
for file in README.md LICENSE CHANGELOG.rst requirements.txt MANIFEST.json meta/runtime.yml plugins/action/policy.py \
    plugins/modules/windows_host.ps1 plugins/module_utils/_ETS6Host.psm1 playbooks/verify.yml playbooks/merge.yml \
    meta/execution-environment.yml bindep.txt SECURITY.md docs/images.md; do
    [ -e "$installed/$file" ] || { echo "The built collection lacks $file." >&2; exit 1; }
done
for file in tests bench molecule Makefile .git .github .ci .venv .venv-mitmproxy .venv-inspecjs requirements-compat.txt dist docs/docsite docs/releasing.md ets6-report; do
    [ ! -e "$installed/$file" ] || { echo "The built collection holds $file; see build_ignore in galaxy.yml." >&2; exit 1; }
done

# What Galaxy does with an upload, but for ansible-test's sanity tests, which make sanity runs. Galaxy shows its warnings to users; here
# they fail. It writes its result beside itself: what it found, with the documentation of each module and of the role.
cp tests/galaxy-importer.cfg "$place"
(
    cd "$place"
    GALAXY_IMPORTER_CONFIG=$place/galaxy-importer.cfg python -m galaxy_importer.main dist/ets6-network-*.tar.gz 2>&1 | tee importer.log
    if grep -E '^(WARNING|ERROR|CRITICAL)' importer.log; then
        echo "galaxy-importer warns; Galaxy would show that to users." >&2
        exit 1
    fi
    grep -q 'ansible-lint run complete' importer.log
)

mkdir "$place/elsewhere"
PYTHONPATH=$checkout \
    python -m tests.lab.demo --playbook ets6.network.enforce --cwd "$place/elsewhere" --report-dir "$place/report"
