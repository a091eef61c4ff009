// Forward declarations of the runtime's public names.
#pragma once

namespace troupe {

class ActorBase;
class Clock;
class ExitReason;
class Log;
class Random;
class System;
struct SystemOptions;

template <class... Ms>
class Actor;
template <class... Ms>
struct Protocol;
template <class... Ps>
class Ref;
template <class... Ps>
class Factory;
template <class R>
class Ask;
template <class R>
class ReplyTo;
template <class R>
class Forwarded;
template <class T, class E>
class Result;

}  // namespace troupe
