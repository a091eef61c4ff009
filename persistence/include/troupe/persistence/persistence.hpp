// All of persistence.
#pragma once

#include <troupe/persistence/event_sourced.hpp>
#include <troupe/persistence/journal.hpp>
#include <troupe/persistence/memory_store.hpp>
#include <troupe/persistence/time_travel.hpp>
#include <troupe/persistence/verify.hpp>
