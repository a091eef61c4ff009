// A cluster of one test, and the messages that its actors send.
#pragma once

#include "remoting/cluster.capnp.hpp"
#include "support/cluster.hpp"
