// The bridge between actors and Asio (standalone, without Boost).
#pragma once

#include <troupe/asio/ask.hpp>
#include <troupe/asio/executor.hpp>
#include <troupe/asio/use_await.hpp>
