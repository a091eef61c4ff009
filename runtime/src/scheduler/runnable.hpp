// What the scheduler knows of an actor: that it can run.
#pragma once

namespace troupe::detail {

class Worker;

/// Something to run once. Owned by nobody while queued; whoever takes it from a queue runs it.
class Runnable {
 public:
  /// On the thread of `worker`.
  virtual void run(Worker& worker) = 0;
  Runnable* next_runnable = nullptr;  ///< for the inject queue

 protected:
  ~Runnable() = default;
};

}  // namespace troupe::detail
