// Everything an author of actors needs.
#pragma once

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/ask.hpp>
#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/children.hpp>
#include <troupe/runtime/event_stream.hpp>
#include <troupe/runtime/factory.hpp>
#include <troupe/runtime/middleware.hpp>
#include <troupe/runtime/process.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/state_machine.hpp>
#include <troupe/runtime/stream.hpp>
#include <troupe/runtime/system.hpp>
#include <troupe/runtime/trace.hpp>
