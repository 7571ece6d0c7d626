#!/bin/sh
# Installs Debian's Chromium with its driver where that may be done; elsewhere says how to get them.
if { command -v chromium || command -v google-chrome; } >/dev/null && command -v chromedriver >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt_get() { apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >/dev/null; }
    apt_get update && apt_get install --yes --no-install-recommends chromium chromium-driver && exit 0
fi
# Not an error here: whether the tests may do without is theirs to say.
echo "The browser tests need Chromium and chromedriver: install both with the system's package manager (Debian: apt install chromium chromium-driver)."
