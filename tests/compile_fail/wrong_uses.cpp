// Wrong uses, one per case, each compiled after this prelude. See compile_fail.py.
#include <string>

#include <troupe/persistence/persistence.hpp>
#include <troupe/remoting/node.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/supervision.hpp>

struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct GetBalance {
  using Reply = std::int64_t;
};
struct Tick {};
struct Owned {
  std::unique_ptr<int> value;
};
struct Locked {
  Locked() = default;
  Locked(Locked&&) = delete;
};
struct alignas(128) Page {
  char bytes[128];
};
struct Bonus {
  Bonus(const Deposit&) {}
};
struct Dangling {
  using Reply = const std::string&;
};
class Account : public troupe::Actor<Deposit, GetBalance, Owned, troupe::Private<Tick>> {
 public:
  void receive(const Deposit&) {}
  std::int64_t receive(const GetBalance&) { return 0; }
  void receive(Owned&&) {}
  void receive(const Tick&) {}
};
class Declared;

// CASE correct use: compiles
void use(troupe::Ref<Account> r, troupe::System& s) {
  r.tell(Deposit{1});
  s.spawn<Account>();
  static_cast<void>(r.ask(GetBalance{}));
}

// CASE tell what is not accepted: the_actor_does_not_accept_this_message_add_it_to_its_list
void use(troupe::Ref<Account> r) {
  r.tell(Withdraw{1});  // HERE
}

// CASE ask what is not accepted: the_actor_does_not_accept_this_message_add_it_to_its_list
void use(troupe::Ref<Deposit> r) {
  r.ask(GetBalance{}).await();  // HERE
}

// CASE tell a private message: only_the_actor_itself_may_send_this_private_message
void use(troupe::Ref<Account> r) {
  r.tell(Tick{});  // HERE
}

// CASE tell what is aligned to a page: align_a_message_to_64_bytes_at_most_or_point_to_it
void use(troupe::Ref<Page> r) {
  r.tell(Page{});  // HERE
}

// CASE take what is aligned to a page: align_a_message_to_64_bytes_at_most_or_point_to_it
class Printer : public troupe::Actor<Page> {
 public:
  void receive(const Page&) {}
};
void use(troupe::System& s) {
  s.spawn<Printer>();  // HERE
}

// CASE tell what can't be moved: a_message_must_be_movable_and_owned
void use(troupe::Ref<Locked> r, Locked& m) {
  r.tell(m);  // HERE
}

// CASE tell a move-only lvalue: the_message_is_not_copyable_so_move_it
void use(troupe::Ref<Account> r, Owned& m) {
  r.tell(m);  // HERE
}

// CASE ask a one-way message: the_message_has_no_Reply_so_tell_it_or_give_it_one
void use(troupe::Ref<Account> r) {
  r.ask(Deposit{1}).await();  // HERE
}

// CASE tell a class that is only declared: include_the_definition_of_this_incomplete_type
void use(troupe::Ref<Declared> r) {
  r.tell(Deposit{1});  // HERE
}

// CASE ask for a reference: a_Reply_cannot_be_a_reference
void use(troupe::Ref<Dangling> r) {
  r.ask(Dangling{}).await();  // HERE
}

// CASE no handler: missing_handler_public_receive_of
class Forgetful : public troupe::Actor<Deposit, GetBalance> {
 public:
  void receive(const Deposit&) {}
};
void use(troupe::System& s) {
  s.spawn<Forgetful>();  // HERE
}

// CASE a private handler: missing_handler_public_receive_of
class Shy : public troupe::Actor<Deposit> {
  void receive(const Deposit&) {}
};
void use(troupe::System& s) {
  s.spawn<Shy>();  // HERE
}

// CASE the wrong reply type: handler_returns_the_wrong_type
class Confused : public troupe::Actor<GetBalance> {
 public:
  std::string receive(const GetBalance&) { return "much"; }
};
void use(troupe::System& s) {
  s.spawn<Confused>();  // HERE
}

// CASE a handler that answers a one-way message: the_message_has_no_Reply_so_tell_it_or_give_it_one
class Talkative : public troupe::Actor<Deposit> {
 public:
  int receive(const Deposit&) { return 1; }
};
void use(troupe::System& s) {
  s.spawn<Talkative>();  // HERE
}

// CASE two handlers: two_handlers_take_this_message
class Torn : public troupe::Actor<Deposit> {
 public:
  void receive(const Deposit&) {}
  void receive(Deposit&&) {}
};
void use(troupe::System& s) {
  s.spawn<Torn>();  // HERE
}

// CASE a handler that would convert: the_only_handler_would_convert_this_message
class Converts : public troupe::Actor<Deposit> {
 public:
  void receive(const Bonus&) {}
};
void use(troupe::System& s) {
  s.spawn<Converts>();  // HERE
}

// CASE two messages of one name and type id: two_messages_have_the_same_type_id_rename_one
namespace bank {
struct One {};
struct Two {};
}  // namespace bank
namespace troupe::detail {
template <>
inline constexpr MessageType message_type<bank::Two> = message_type<bank::One>;
}
class Twins : public troupe::Actor<bank::One, bank::Two> {
 public:
  void receive(const bank::One&) {}
  void receive(const bank::Two&) {}
};
void use(troupe::System& s) {
  s.spawn<Twins>();  // HERE
}

// CASE spawn what is no actor: this_class_is_not_an_actor_derive_from_troupe_Actor
void use(troupe::System& s) {
  s.spawn<Deposit>();  // HERE
}

// CASE an actor with two lists: an_actor_class_has_one_message_list_this_one_has_two
class Extended : public Account, public troupe::Protocol<Withdraw> {
 public:
  using Account::receive;
  void receive(const Withdraw&) {}
};
void use(troupe::System& s) {
  s.spawn<Extended>();  // HERE
}

// CASE wrong constructor arguments: no_constructor_takes
void use(troupe::System& s) {
  s.spawn<Account>("account-1");  // HERE
}

// CASE not copyable: child_arguments_must_be_copyable_to_build_the_next_incarnation
class Needs : public troupe::Actor<Deposit> {
 public:
  explicit Needs(const std::unique_ptr<int>&) {}
  void receive(const Deposit&) {}
};
class Top : public troupe::Supervisor<Tick> {
 public:
  void on_start() override {
    start_child<Needs>({.id = "needs"}, std::make_unique<int>(1));  // HERE
  }
  void receive(const Tick&) {}
};

// CASE asking whether it compiles is a question: compiles
template <class R>
concept TakesWithdraw = requires(R r) {
  r.tell(Withdraw{1});
};
static_assert(!TakesWithdraw<troupe::Ref<Account>>);
static_assert(!troupe::ValidActor<Deposit>);
static_assert(troupe::ValidActor<Account>);

// CASE become, incomplete: this_behavior_leaves_out_a_message_add_a_handler_or_an_otherwise
class Changing : public troupe::Actor<Deposit, GetBalance> {
 public:
  void receive(const Deposit&) {
    become([](const Deposit&) {});  // HERE
  }
  std::int64_t receive(const GetBalance&) { return 0; }
};

// CASE become with a lambda for anything: a_handler_takes_one_message_of_a_named_type
class Changing : public troupe::Actor<Deposit> {
 public:
  void receive(const Deposit&) {
    become([](const auto&) {}, troupe::otherwise_drop);  // HERE
  }
};

// CASE become for a stranger's message: the_actor_does_not_accept_this_message_add_it_to_its_list
class Changing : public troupe::Actor<Deposit> {
 public:
  void receive(const Deposit&) {
    become([](const Withdraw&) {}, troupe::otherwise_stash);  // HERE
  }
};

// CASE become with the wrong reply: handler_returns_the_wrong_type
class Changing : public troupe::Actor<GetBalance> {
 public:
  std::int64_t receive(const GetBalance&) {
    become([](const GetBalance&) { return std::string(); });  // HERE
    return 0;
  }
};

// CASE options in braces and the wrong arguments: no_constructor_takes
void use(troupe::System& s) {
  s.spawn<Account>({.name = "savings"}, "account-1");  // HERE
}

// CASE a child with the wrong arguments: no_constructor_takes
class Parent : public troupe::Actor<Tick> {
 public:
  void receive(const Tick&) {
    spawn<Account>({.name = "savings"}, "account-1");  // HERE
  }
};

// CASE started with the wrong arguments: no_constructor_takes
class Parent : public troupe::Actor<Tick> {
 public:
  void receive(const Tick&) {
    start<Account>({.name = "savings"}, "account-1");  // HERE
  }
};

// CASE forward what is not accepted: the_actor_does_not_accept_this_message_add_it_to_its_list
class Front : public troupe::Actor<GetBalance> {
 public:
  explicit Front(troupe::Ref<Deposit> back) : back_(back) {}
  troupe::Forwarded<std::int64_t> receive(GetBalance&& m) {
    return forward(back_, std::move(m));  // HERE
  }

 private:
  troupe::Ref<Deposit> back_;
};

// CASE a timer for a stranger's message: the_actor_does_not_accept_this_message_add_it_to_its_list
class Late : public troupe::Actor<Deposit> {
 public:
  void receive(const Deposit&) {
    start_timer("late", std::chrono::seconds(1), Tick{});  // HERE
  }
};

// CASE every with a stranger's message: the_actor_does_not_accept_this_message_add_it_to_its_list
class Often : public troupe::Actor<Deposit> {
 public:
  void receive(const Deposit&) {
    every("often", std::chrono::seconds(1), Tick{});  // HERE
  }
};

// CASE every with a message that can't be copied: a_repeated_message_must_be_copyable
class Often : public troupe::Actor<Owned> {
 public:
  void receive(Owned&& m) {
    every("often", std::chrono::seconds(1), m);  // HERE
  }
};

// CASE a timer with a move-only lvalue: the_message_is_not_copyable_so_move_it
class Late : public troupe::Actor<Owned> {
 public:
  void receive(Owned&& m) {
    start_timer("late", std::chrono::seconds(1), m);  // HERE
  }
};

// CASE pipe a stranger's message: the_actor_does_not_accept_this_message_add_it_to_its_list
class Piping : public troupe::Actor<Deposit> {
 public:
  explicit Piping(troupe::Ref<GetBalance> account) : account_(account) {}
  void receive(const Deposit&) {
    auto balance = account_.ask(GetBalance{});
    pipe_to_self(std::move(balance), [](auto) { return Tick{}; });  // HERE
  }

 private:
  troupe::Ref<GetBalance> account_;
};

// CASE pipe with a function of the bare value: the_function_must_take_the_Result
class Piping : public troupe::Actor<Deposit> {
 public:
  explicit Piping(troupe::Ref<GetBalance> account) : account_(account) {}
  void receive(const Deposit&) {
    auto balance = account_.ask(GetBalance{});
    pipe_to_self(std::move(balance), [](std::int64_t cents) { return Deposit{cents}; });  // HERE
  }

 private:
  troupe::Ref<GetBalance> account_;
};

// CASE a factory of less: this_class_does_not_take_every_message_of_the_protocol
struct RichApi : troupe::Protocol<Deposit, Withdraw> {};
troupe::Factory<RichApi> rich() {
  return troupe::factory<RichApi, Account>();  // HERE
}

// CASE a factory whose arguments fit no constructor: no_constructor_takes
troupe::Factory<Account> named() {
  return troupe::factory<Account>("account-1");  // HERE
}

// CASE a leaky state: this_behavior_leaves_out_a_message_add_a_handler_or_an_otherwise
class Machine : public troupe::StateMachine<Deposit, GetBalance> {
 public:
  struct Open : troupe::State<Machine> {
    void receive(const Deposit&) {}
  };
  void on_start() override {
    go_to<Open>();  // HERE
  }
};

// CASE a state that answers with the wrong type: handler_returns_the_wrong_type
class Machine : public troupe::StateMachine<Deposit, GetBalance> {
 public:
  struct Open : troupe::State<Machine> {
    void receive(const Deposit&) {
      go_to<Closed>();  // HERE
    }
    std::int64_t receive(const GetBalance&) { return 0; }
  };
  struct Closed : troupe::State<Machine> {
    void receive(const Deposit&) {}
    std::string receive(const GetBalance&) { return "none"; }
  };
};

// CASE a class that is no state: a_state_derives_from_troupe_State_of_its_machine
class Machine : public troupe::StateMachine<Deposit> {
 public:
  struct Open {
    void receive(const Deposit&) {}
  };
  void on_start() override {
    go_to<Open>();  // HERE
  }
};

// CASE a process receives a stranger: the_actor_does_not_accept_this_message_add_it_to_its_list
auto body = [](troupe::Process<Deposit>& self) {
  self.receive([](const Withdraw&) {});  // HERE
};

// CASE a process without an answer: a_process_answers_a_request_by_a_ReplyTo_as_second_parameter
auto body = [](troupe::Process<GetBalance>& self) {
  self.receive([](const GetBalance&) { return 1; });  // HERE
};

// CASE a process that takes anything: a_handler_takes_one_message_of_a_named_type
auto body = [](troupe::Process<Deposit>& self) {
  self.receive([](const auto&) {});  // HERE
};

// CASE a broadcast of requests: a_broadcast_has_no_single_answer_use_scatter_gather_first
auto all(std::vector<troupe::Ref<GetBalance>> refs) {
  return troupe::group<GetBalance>(refs, troupe::broadcast);  // HERE
}

// CASE a remote ref to what has a schema: compiles
struct Ping {
  using Reply = void;
  static constexpr troupe::SchemaId troupe_schema{1};
  static const troupe::codec::Codec troupe_codec;
};
void use(troupe::remoting::Node& n) {
  static_cast<void>(n.resolve<Ping>("troupe://127.0.0.1:7001/ponger"));
}

// CASE a remote ref to what has no schema: a_message_to_another_node_needs_a_schema
void use(troupe::remoting::Node& n) {
  n.resolve<Deposit>("troupe://127.0.0.1:7001/account").await();  // HERE
}

// CASE a remote ref to an actor whose messages stay: a_message_to_another_node_needs_a_schema
void use(troupe::remoting::Node& n) {
  n.resolve<Account>("troupe://127.0.0.1:7001/account").await();  // HERE
}

// CASE a remote answer that has no schema: a_Reply_from_another_node_needs_a_schema
struct Ask {
  using Reply = Deposit;
  static constexpr troupe::SchemaId troupe_schema{1};
  static const troupe::codec::Codec troupe_codec;
};
void use(troupe::remoting::Node& n) {
  n.resolve<Ask>("troupe://127.0.0.1:7001/account").await();  // HERE
}
