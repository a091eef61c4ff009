// Everything a test of actors needs.
#pragma once

#include <troupe/testkit/harness.hpp>
#include <troupe/testkit/manual_clock.hpp>
#include <troupe/testkit/probe.hpp>
#include <troupe/testkit/test_system.hpp>
#include <troupe/testkit/unavailable.hpp>
