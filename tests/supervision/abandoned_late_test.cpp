// What comes after an actor was abandoned: it hangs again, or late, when others have its place.
#include "supervision/abandoned.hpp"

using namespace troupe::test;
using troupe::Guardian;
using troupe::Ref;

namespace {

/// Gets stuck when told, and again on its way out.
class StuckTwice : public troupe::Actor<GetStuck> {
 public:
  StuckTwice(TrapPtr first, TrapPtr second)
      : first_(std::move(first)), second_(std::move(second)) {}
  void on_stop(troupe::StopReason) override { second_->spring(); }
  int receive(const GetStuck&) {
    first_->spring();
    return 1;
  }

 private:
  TrapPtr first_, second_;
};

/// A supervisor that gets stuck, as its child does.
class House : public troupe::Supervisor<GetStuck> {
 public:
  House(TrapPtr own, TrapPtr kids, Ref<Witness> witness)
      : own_(std::move(own)), kids_(std::move(kids)), witness_(witness) {}
  void on_start() override {
    start_child<Prone>({.id = "kid", .options = {.stop_timeout = 0s}}, kids_, witness_);
  }
  int receive(const GetStuck&) {
    own_->spring();
    return 1;
  }

 private:
  TrapPtr own_, kids_;
  Ref<Witness> witness_;
};
class Owner : public troupe::Supervisor<Ping> {
 public:
  Owner(TrapPtr own, TrapPtr kids, Ref<Witness> witness)
      : own_(std::move(own)), kids_(std::move(kids)), witness_(witness) {}
  void on_start() override { start_child<House>({.id = "house"}, own_, kids_, witness_); }
  int receive(const Ping&) { return 1; }

 private:
  TrapPtr own_, kids_;
  Ref<Witness> witness_;
};

}  // namespace

TEST_CASE("S66 an actor is abandoned once, also when its on_stop hangs on its way out",
          "[supervision]") {
  World w;
  const auto second = std::make_shared<Trap>();
  const auto stuck = w.system.spawn<StuckTwice>({.name = "stuck"}, w.trap, second);
  w.witness.tell(WatchIt{stuck});
  w.notes();
  stuck.tell(GetStuck{});
  w.trap->in.wait();
  w.system.kill(stuck);
  w.wait_abandoned();
  w.trap->go_on.open();
  second->in.wait();
  // While two others are abandoned, one after the other, the reaper has had its time.
  for (const char* name : {"one", "other"}) {
    const auto trap = std::make_shared<Trap>();
    const auto prone = w.system.spawn<Prone>({.name = name}, trap, w.witness);
    prone.tell(GetStuck{});
    trap->in.wait();
    w.system.kill(prone);
    eventually([&] { return !w.system.find<Prone>("/" + std::string(name)).has_value(); });
    trap->go_on.open();
  }
  REQUIRE(w.system.metrics().actors_abandoned == 3);
  second->go_on.open();
  eventually([&] { return w.system.actor_count() == 1; });
  REQUIRE(w.terminated() == 1);
}

TEST_CASE("S66 who is abandoned late does not take the name of who has it by then",
          "[supervision]") {
  World w;
  const auto kids = std::make_shared<Trap>();
  const auto owner =
      w.system.spawn<Owner>({.name = "owner", .guardian = Guardian::no}, w.trap, kids, w.witness);
  owner.ask(Ping{}).await();
  const auto kid = *w.system.find<Prone>("/owner/house/kid");
  const auto house = *w.system.find<House>("/owner/house");
  kid.tell(GetStuck{});
  kids->in.wait();
  house.tell(GetStuck{});
  w.trap->in.wait();
  w.system.kill(house);
  Ref<Prone> next;
  eventually([&] {
    const auto found = w.system.find<Prone>("/owner/house/kid");
    if (found) next = *found;
    return found && next != kid;
  });
  w.wait_abandoned(2);
  REQUIRE(*w.system.find<Prone>("/owner/house/kid") == next);
  kids->go_on.open();
  w.release(4);
  REQUIRE(*w.system.find<Prone>("/owner/house/kid") == next);
}
