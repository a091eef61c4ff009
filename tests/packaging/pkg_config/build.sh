#!/usr/bin/env bash
# A project without CMake: the compiler, and the flags that pkg-config gives.
set -euo pipefail
mkdir -p build
flags=$(${PKG_CONFIG:-pkg-config} --static --cflags --libs troupe-supervision troupe-run)
# shellcheck disable=SC2086
${CXX:-g++} -std=c++20 -O1 consumer.cpp -o build/consumer $flags
