// Making an actor: its cell, its options, its first turn.
#include <new>
#include <utility>

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "reaper.hpp"
#include "system_core.hpp"

namespace troupe::detail {

namespace {

void add_name(Cell& cell, Cell* parent, const std::string& name, SystemCore& core) {
  check_name(name);
  std::string path = parent == nullptr ? "" : print(parent->address());
  path += "/" + name;
  if (!core.names().add(path, cell.address()))
    throw NameTaken("there is an actor named " + path + " already");
  cell.is_named = 1;
}

Guardian guardian_of(const Cell& cell, const Cell* parent, const SpawnOptions& options) {
  if (parent != nullptr) return Guardian::no;
  if (options.guardian != Guardian::automatic) return options.guardian;
  return cell.own_type().child_observer != nullptr ? Guardian::on_failure : Guardian::no;
}

/// What of the options is not as usual.
void prepare(Cell& cell, Cell* parent, const SpawnOptions& options, SystemCore& core) {
  const bool hold = options.on_end == OnEnd::hold;
  const bool linked = options.linked && parent != nullptr;
  const Guardian guardian = guardian_of(cell, parent, options);
  if (hold || linked || options.trap_exit || options.stay_on_worker || !options.stop_children ||
      guardian != Guardian::no) {
    CellExtension& e = cell.ext();
    e.hold = hold;
    e.trap_exit = options.trap_exit;
    e.linked_to_parent = linked;
    e.stay_on_worker = options.stay_on_worker;
    e.restart_keeps_children = !options.stop_children;
    e.guardian = guardian;
  }
  if (hold || options.stop_timeout) made(cell.ext().oversight).stop_limit = options.stop_timeout;
  if (hold) cell.ext().oversight->ended = new ChildEndedCommand;
  if (options.stash_max != 0 || !options.restart_keeps_stash) {
    Intake& intake = made(cell.ext().intake);
    intake.stash_max = options.stash_max;
    intake.restart_keeps_stash = options.restart_keeps_stash;
  }
  if (!options.mailbox.is_default()) {
    const auto lane = std::make_shared<LockedLane>(options.mailbox);
    made(cell.ext().intake).lane = lane;
    cell.generation.fetch_or(has_locked_lane, std::memory_order_relaxed);  // published with the ref
    core.locked_lanes().add(cell.serial, lane);
  }
  if (options.pinned) made(cell.ext().intake).home = core.executor().pin();
  if (!options.name.empty()) add_name(cell, parent, options.name, core);
}

}  // namespace

namespace {

/// spawn_link: the parent's turn and the child before its first, so both tables can be written.
void link_both(Cell& parent, Cell& child) {
  const std::uint64_t id = (std::uint64_t{parent.serial} << 32) | ++parent.ext().tokens;
  const std::lock_guard guard(parent.core().reaper().links_lock(parent));
  Link& down = made(parent.ext().relations).links[Life(child.address())];
  down = {child.address(), id, 0, new LinkRecord};
  Link& up = made(child.ext().relations).links[Life(parent.address())];
  up = {parent.address(), 0, id, new LinkRecord};
}

}  // namespace

NewCell::NewCell(Cell* parent, SystemCore* system, const ActorType& type,
                 const SpawnOptions* options) {
  SystemCore& core = system != nullptr ? *system : parent->core();
  if (parent == nullptr)
    under_way_.begin(core);  // a parent is an actor that the shutdown waits for
  if (parent != nullptr && is_abandoned(parent, Worker::current_here())) throw Cancelled{};
  if (parent != nullptr && parent->is(Phase::ending))
    throw UsageError("an actor that is ending can't spawn children");
  if (!core.spawning_allowed())
    throw UsageError("the System is shutting down and spawns no actors any more");
  if (options != nullptr && options->on_end == OnEnd::hold &&
      (parent == nullptr || parent->own_type().child_observer == nullptr)) {
    throw UsageError(
        "on_end = hold needs a parent that derives from ChildObserver, to give the verdict");
  }
  if (options != nullptr && !options->stop_children && type.child_observer != nullptr) {
    throw UsageError(
        "stop_children = false is not for a ChildObserver: only the object that ends with the "
        "restart knows what to do about its children");
  }
  cell_ = core.take_cell(cell_class_of(type.size, type.align));
  cell_->type.store(&type, std::memory_order_relaxed);     // published with the ref
  cell_->parent.store(parent, std::memory_order_relaxed);  // published with the ref
  cell_->incarnation = 0;
  cell_->is_named = 0;
  cell_->is_held = options != nullptr && options->on_end == OnEnd::hold;
  cell_->is_apart = !object_is_inline(type.size, type.align);
  if (cell_->is_apart != 0) {
    *reinterpret_cast<void**>(reinterpret_cast<std::byte*>(cell_) + cell_header_bytes) =
        ::operator new (type.size, std::align_val_t{type.align});
  }
  cell_->set(Phase::starting);
  if (options == nullptr && type.child_observer == nullptr) return;
  try {
    prepare(*cell_, parent, options != nullptr ? *options : SpawnOptions{}, core);
  } catch (...) {  // the destructor won't run
    give_back();
    throw;
  }
}

NewCell::~NewCell() {
  if (cell_ != nullptr) give_back();
}

void NewCell::give_back() {
  in_constructor_.end();
  SystemGate* gate = cell_->gate.load(std::memory_order_relaxed);  // this thread's own write
  SystemCore& core = *gate->core.load(std::memory_order_relaxed);
  const ActorType& type = *cell_->type.load(std::memory_order_relaxed);
  if (cell_->is_apart != 0) ::operator delete (cell_->object(), std::align_val_t{type.align});
  if (const Intake* intake = cell_->intake()) {
    if (intake->home != nullptr) core.executor().unpin(*intake->home);
    if (intake->lane != nullptr) core.locked_lanes().remove(cell_->serial);
  }
  if (cell_->is_named != 0) core.names().remove(cell_->serial);
  delete cell_->extension.get();
  cell_->extension = nullptr;
  cell_->set(Phase::free);
  cell_->generation.store(cell_->next_generation(),
                          std::memory_order_relaxed);  // published with the token
  // Asleep again. What came for an earlier actor of this cell meanwhile is bounced.
  MailLink* none = nullptr;
  const Mailbox::Idle idle = Mailbox::go_idle(cell_->in, cell_->out, none);
  core.give_cell(*cell_);
  if (idle == Mailbox::Idle::not_empty || idle == Mailbox::Idle::commands_came) {
    core.executor().submit(*cell_);
  }
}

void* NewCell::where() noexcept {
  in_constructor_.begin();
  return cell_->object();
}

void SpawnUnderWay::begin(SystemCore& core) noexcept {
  if (mutant("shutdown_overlooks_spawns")) return;
  core_ = &core;
  core.spawn_begins();
}
void SpawnUnderWay::end() noexcept {
  if (core_ != nullptr) std::exchange(core_, nullptr)->spawn_is_over();
}

void NoWaiting::begin() noexcept {
  worker_ = Worker::current_here();
  if (worker_ != nullptr)
    was_so_ = std::exchange(worker_->may_not_wait, !mutant("constructor_may_wait"));
}
void NoWaiting::give_back() noexcept {
  std::exchange(worker_, nullptr)->may_not_wait = was_so_;
}

Address NewCell::launch(const RequestPort& started) {
  in_constructor_.end();
  Cell& cell = *std::exchange(cell_, nullptr);
  const ActorType& type = *cell.type.load(std::memory_order_relaxed);  // this thread's own write
  SystemGate* gate = cell.gate.load(std::memory_order_relaxed);
  SystemCore& core = *gate->core.load(std::memory_order_relaxed);
  cell.actor().cell_ = &cell;
  const Address address = cell.address();
  if (cell.extension != nullptr) {
    cell.extension->has_object = true;
    cell.extension->on_start_ran = !type.has_on_start;
  }
  if (Cell* parent = cell.parent.load(std::memory_order_relaxed)) {  // this thread's own write
    CellExtension& p = parent->ext();
    cell.previous_sibling = nullptr;
    cell.next_sibling = p.first_child;
    if (p.first_child != nullptr) p.first_child->previous_sibling = &cell;
    p.first_child = &cell;
    ++p.child_count;
    if (cell.extension != nullptr && cell.extension->linked_to_parent) {
      link_both(*parent, cell);
    }
  }
  core.actor_spawned(cell);
  if (type.has_on_start) {
    if (started.slot != nullptr) made(cell.ext().oversight).started = started;
    Worker* worker = Worker::current_here();
    if (worker != nullptr && &worker->core == &core) {
      worker->push(cell);
    } else {
      core.executor().submit(cell);
    }
    return address;
  }
  cell.set(Phase::running);
  if (started.slot != nullptr) answer_done(started);
  cell.tell_parent(CommandKind::child_started);
  MailLink* none = nullptr;
  const Mailbox::Idle idle = Mailbox::go_idle(cell.in, cell.out, none);
  if (idle == Mailbox::Idle::asleep || idle == Mailbox::Idle::other_owner) return address;
  core.executor().submit(cell);  // a stale push came meanwhile
  return address;
}

Address spawn_from(Cell* parent, SystemCore* system, const SpawnOptions& options,
                   const Maker& maker, const RequestPort& started) {
  NewCell cell{parent, system, maker.type(), &options};
  maker.construct(cell.where());
  return cell.launch(started);
}

}  // namespace troupe::detail
