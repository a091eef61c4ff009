// Everything for supervising, and the runtime.
#pragma once

#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/backoff.hpp>
#include <troupe/supervision/child_spec.hpp>
#include <troupe/supervision/decider.hpp>
#include <troupe/supervision/restart_window.hpp>
#include <troupe/supervision/router.hpp>
#include <troupe/supervision/supervisor.hpp>
