// What the scheduler knows of an actor: that it can run.
#pragma once

namespace troupe::detail {

/// Something to run once. Owned by nobody while queued; whoever takes it from a queue runs it.
class Runnable {
 public:
  virtual void run() = 0;
  Runnable* next_runnable = nullptr;  ///< for the inject queue

 protected:
  ~Runnable() = default;
};

}  // namespace troupe::detail
