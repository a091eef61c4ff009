// Wrong uses of event-sourced actors, each compiled after this prelude and that of wrong_uses.cpp.
struct Funded {
  static constexpr troupe::SchemaId troupe_schema{1};
  static const troupe::codec::Codec troupe_codec;
};

// CASE an event-sourced actor: compiles
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{{"account", "1"}} {}
  void receive(const Deposit&) { persist(Funded{}); }
};

// CASE an event that the state does not list: this_event_is_not_listed_in_the_states_Events
struct Spent : Funded {};
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{{"account", "1"}} {}
  void receive(const Deposit&) {
    persist(Spent{});  // HERE
  }
};

// CASE the same at the end of a handler: this_event_is_not_listed_in_the_states_Events
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, GetBalance> {
  Sourced() : EventSourced{{"account", "1"}} {}
  troupe::Persisted<std::int64_t> receive(const GetBalance&) {
    return persist_then(Deposit{}, [] { return std::int64_t{0}; });  // HERE
  }
};

// CASE an event without a schema: an_event_needs_a_schema
struct Funds {
  using Events = troupe::Events<Deposit>;
  void apply(const Deposit&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE an event that the state does not apply: the_state_has_no_apply_for_this_event
struct Funds {
  using Events = troupe::Events<Funded>;
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE a state that can't be copied: the_state_must_be_copyable_unless_its_apply_is_noexcept
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
  std::unique_ptr<int> large;
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE an old event without a schema: an_old_event_needs_a_schema
struct Old {};
struct Funds {
  using Events = troupe::Events<Funded>;
  using OldEvents = troupe::OldEvents<Old>;
  void apply(const Funded&) {}
  static Funded upcast(const Old&) { return {}; }
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE an old event without an upcast: the_state_has_no_upcast_for_this_old_event
struct Old {
  static constexpr troupe::SchemaId troupe_schema{2};
  static const troupe::codec::Codec troupe_codec;
};
struct Funds {
  using Events = troupe::Events<Funded>;
  using OldEvents = troupe::OldEvents<Old>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE an upcast to what is no event: an_upcast_returns_an_event_an_old_event_or_a_list_of_events
struct Old {
  static constexpr troupe::SchemaId troupe_schema{2};
  static const troupe::codec::Codec troupe_codec;
};
struct Funds {
  using Events = troupe::Events<Funded>;
  using OldEvents = troupe::OldEvents<Old>;
  void apply(const Funded&) {}
  static int upcast(const Old&) { return 1; }
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  Sourced() : EventSourced{troupe::persistence::StreamId{"account", "1"}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE snapshots of a state that names none: the_state_names_no_Snapshot
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  static troupe::persistence::StreamId id() { return {"account", "1"}; }
  Sourced() : EventSourced{id(), troupe::SnapshotPolicy{}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE a snapshot without a schema: a_snapshot_needs_a_schema
struct Funds : Deposit {
  using Snapshot = Deposit;
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  static troupe::persistence::StreamId id() { return {"account", "1"}; }
  Sourced() : EventSourced{id(), troupe::SnapshotPolicy{}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE a state that is not made of its snapshot: the_state_makes_no_snapshot_or_is_not_made_of_one
struct Funds {
  using Snapshot = Funded;
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
  Funded snapshot() const { return {}; }
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  static troupe::persistence::StreamId id() { return {"account", "1"}; }
  Sourced() : EventSourced{id(), troupe::SnapshotPolicy{}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE a state with more than its snapshot: the_state_makes_no_snapshot_or_is_not_made_of_one
struct Funds : Funded {
  using Snapshot = Funded;
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
  std::int64_t lost = 0;
};
struct Sourced : troupe::EventSourced<Funds, Deposit> {
  static troupe::persistence::StreamId id() { return {"account", "1"}; }
  Sourced() : EventSourced{id(), troupe::SnapshotPolicy{}} {}  // HERE
  void receive(const Deposit&) {}
};

// CASE an event-sourced handler that forgets the reply: handler_returns_the_wrong_type
struct Funds {
  using Events = troupe::Events<Funded>;
  void apply(const Funded&) {}
};
struct Sourced : troupe::EventSourced<Funds, GetBalance> {
  Sourced() : EventSourced{{"account", "1"}} {}
  void receive(const GetBalance&) { persist(Funded{}); }
};
void use(troupe::System& s) {
  s.spawn<Sourced>();  // HERE
}
