// Looking after a running supervisor from outside: which, count, start, terminate, restart, delete.
#include <utility>

#include <troupe/supervision/supervisor.hpp>

namespace troupe {

namespace detail {

void SupervisorBase::start_by_hand(ChildSpec spec, std::shared_ptr<const Maker> maker,
                                   AdminReply reply) {
  if (const auto refused = why_refused(spec)) {
    (*reply)(AdminResult{Unexpected{refused->problem()}});
    return;
  }
  try {
    SupervisedChild& child = new_child(std::move(spec), std::move(maker), nullptr);
    child.erase = true;  // until it has started
    child.start_waiter = std::move(reply);
  } catch (...) {  // its constructor's: the answer says that it failed
    (*reply)(AdminResult{Unexpected{ChildProblem::start_failed}});
  }
}

void SupervisorBase::terminate_by_hand(const std::string& id, const AdminReply& reply) {
  terminate_by_hand(find(id), reply);
}
void SupervisorBase::terminate_by_hand(const Ref<>& ref, const AdminReply& reply) {
  terminate_by_hand(ref ? find(ref) : nullptr, reply);
}

void SupervisorBase::terminate_by_hand(SupervisedChild* child, const AdminReply& reply) {
  if (child == nullptr) {
    (*reply)(AdminResult{Unexpected{ChildProblem::not_found}});
    return;
  }
  if (child->state == ChildState::stopped) {
    (*reply)(AdminResult{Ref<>{}});
    return;
  }
  child->end_waiters.push_back(reply);
  child->by_hand = true;
  if (child->state == ChildState::held || child->state == ChildState::backing_off) {
    leave(*child);
    go_on();
  } else if (child->state != ChildState::leaving && child->state != ChildState::halting) {
    halt(*child);
  }
}

void SupervisorBase::restart_by_hand(const std::string& id, const AdminReply& reply) {
  SupervisedChild* child = find(id);
  const auto refuse_with = [&](ChildProblem problem) {
    (*reply)(AdminResult{Unexpected{problem}});
  };
  if (options_.strategy == Strategy::dynamic) return refuse_with(ChildProblem::not_for_dynamic);
  if (child == nullptr) return refuse_with(ChildProblem::not_found);
  if (child->state == ChildState::running || child->state == ChildState::starting)
    return refuse_with(ChildProblem::running);
  if (child->state != ChildState::stopped) return refuse_with(ChildProblem::restarting);
  try {
    spawn_child(*child, nullptr);
    child->start_waiter = reply;
  } catch (...) {  // its constructor's: the answer says that it failed
    refuse_with(ChildProblem::start_failed);
  }
}

void SupervisorBase::delete_by_hand(const std::string& id, const AdminReply& reply) {
  SupervisedChild* child = find(id);
  if (options_.strategy == Strategy::dynamic) {
    (*reply)(AdminResult{Unexpected{ChildProblem::not_for_dynamic}});
  } else if (child == nullptr) {
    (*reply)(AdminResult{Unexpected{ChildProblem::not_found}});
  } else if (child->state != ChildState::stopped) {
    const bool runs = child->state == ChildState::running || child->state == ChildState::starting;
    (*reply)(AdminResult{Unexpected{runs ? ChildProblem::running : ChildProblem::restarting}});
  } else {
    forget(*child);
    (*reply)(AdminResult{Ref<>{}});
  }
}

namespace {
bool is_active(ChildState state) {
  return state == ChildState::running || state == ChildState::starting ||
         state == ChildState::halting;
}
ChildType type_of(const SupervisedChild& child) {
  if (child.spec.type) return *child.spec.type;
  return child.maker != nullptr && child.maker->type().child_observer != nullptr
             ? ChildType::supervisor
             : ChildType::worker;
}
}  // namespace

std::vector<ChildInfo> SupervisorBase::list_children() const {
  std::vector<ChildInfo> infos;
  for (const SupervisedChild& child : children_) {
    const bool active = is_active(child.state);
    const bool restarting =
        !active && child.state != ChildState::stopped && child.state != ChildState::leaving;
    infos.push_back({child.spec.id, active ? child.ref : Ref<>{}, type_of(child),
                     child.spec.restart, restarting});
  }
  return infos;
}

ChildCounts SupervisorBase::count_all() const {
  ChildCounts counts;
  for (const SupervisedChild& child : children_) {
    ++counts.specs;
    if (is_active(child.state)) ++counts.active;
    ++(type_of(child) == ChildType::supervisor ? counts.supervisors : counts.workers);
  }
  return counts;
}

namespace {

/// Runs f on the supervisor, with the duty to answer.
template <class R>
Ask<R> ask_supervisor(const Ref<>& supervisor,
                      std::function<void(SupervisorBase&, const std::shared_ptr<ReplyTo<R>>&)> f) {
  const RequestPort port = open_slot(supervisor.address(), default_timeout, reply_destroyer<R>());
  Ask<R> ask{port};
  // The command alone has the duty to answer: where it is dropped says why.
  run_as_command(supervisor, [f = std::move(f),
                              reply = std::make_shared<ReplyTo<R>>(port)](ChildObserver* observer) {
    auto* base = observer != nullptr ? dynamic_cast<SupervisorBase*>(observer) : nullptr;
    if (base == nullptr) {
      reply->refuse("the actor is no supervisor");
    } else {
      f(*base, reply);
    }
  });
  return ask;
}

}  // namespace

}  // namespace detail

using detail::AdminReply;
using detail::AdminResult;
using detail::SupervisedChild;
using detail::SupervisorBase;

Ask<std::vector<ChildInfo>> which_children(const Ref<>& supervisor) {
  return detail::ask_supervisor<std::vector<ChildInfo>>(
      supervisor, [](SupervisorBase& s, const auto& reply) { (*reply)(s.list_children()); });
}

Ask<ChildCounts> count_children(const Ref<>& supervisor) {
  return detail::ask_supervisor<ChildCounts>(
      supervisor, [](SupervisorBase& s, const auto& reply) { (*reply)(s.count_all()); });
}

Ask<AdminResult> start_child_of(const Ref<>& supervisor, ChildSpec spec,
                                std::shared_ptr<const detail::Maker> maker) {
  return detail::ask_supervisor<AdminResult>(
      supervisor,
      [spec = std::move(spec), maker = std::move(maker)](
          SupervisorBase& s, const AdminReply& reply) { s.start_by_hand(spec, maker, reply); });
}

Ask<AdminResult> terminate_child(const Ref<>& supervisor, const std::string& id) {
  return detail::ask_supervisor<AdminResult>(
      supervisor,
      [id](SupervisorBase& s, const AdminReply& reply) { s.terminate_by_hand(id, reply); });
}

Ask<AdminResult> terminate_child(const Ref<>& supervisor, const Ref<>& child) {
  return detail::ask_supervisor<AdminResult>(
      supervisor,
      [child](SupervisorBase& s, const AdminReply& reply) { s.terminate_by_hand(child, reply); });
}

Ask<AdminResult> restart_child(const Ref<>& supervisor, const std::string& id) {
  return detail::ask_supervisor<AdminResult>(
      supervisor,
      [id](SupervisorBase& s, const AdminReply& reply) { s.restart_by_hand(id, reply); });
}

Ask<AdminResult> delete_child(const Ref<>& supervisor, const std::string& id) {
  return detail::ask_supervisor<AdminResult>(
      supervisor,
      [id](SupervisorBase& s, const AdminReply& reply) { s.delete_by_hand(id, reply); });
}

}  // namespace troupe
