#!/usr/bin/env bash
# ansible-test sanity and units on a copy of the working tree. The copy lies outside the checkout: inside of one,
# ansible-test finds nothing to do and calls that a success.
set -euo pipefail
cd "$(dirname "$0")/.."
python_version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
copy=$place/ansible_collections/ets6/network
mkdir -p "$copy"
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --null -T - -cf - | tar -xf - -C "$copy"

# ansible-test would download pip's installer; the one that Python brings along does.
cache=$HOME/.ansible/test/cache
mkdir -p "$cache"
pip_version=$(python -c '
import sys
from types import SimpleNamespace
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(SimpleNamespace(version=sys.argv[1]))["pip"].replace(".", "_"))
' "$python_version")
installer=$cache/get_pip_$pip_version.py
[ -e "$installer" ] || echo 'import ensurepip; ensurepip.bootstrap(default_pip=True)' >"$installer"

cd "$copy"
log=$place/sanity.log
ansible-test sanity --color no --python "$python_version" "$@" 2>&1 | tee "$log"
if grep -q "All targets skipped" "$log"; then
    echo "ansible-test sanity found nothing to check." >&2
    exit 1
fi
[ $# -gt 0 ] || ansible-test units --color no --python "$python_version"
