// The reasons a wrong use does not compile. Each appears by name in the compiler's one error line
// (DESIGN.md D13); tests/compile_fail has a wrong use of each.
#pragma once

namespace troupe::why {

// sending
template <class M>
struct the_actor_does_not_accept_this_message_add_it_to_its_list;
template <class M>
struct only_the_actor_itself_may_send_this_private_message;
template <class M>
struct a_message_must_be_movable_and_owned;
template <class M>
struct align_a_message_to_64_bytes_at_most_or_point_to_it;
template <class M>
struct the_message_is_not_copyable_so_move_it;
template <class M>
struct the_message_has_no_Reply_so_tell_it_or_give_it_one;
template <class T>
struct include_the_definition_of_this_incomplete_type;

// an actor's class
template <class M>
struct missing_handler_public_receive_of;
template <class Reply>
struct wants;
template <class R>
struct returns;
template <class M, class Wants, class Returns>
struct handler_returns_the_wrong_type;
template <class M>
struct two_handlers_take_this_message;
template <class M>
struct the_only_handler_would_convert_this_message;
template <class M>
struct a_Reply_cannot_be_a_reference;
template <class A, class B>
struct two_messages_have_the_same_type_id_rename_one;
template <class F>
struct a_handler_takes_one_message_of_a_named_type;
template <class M>
struct this_behavior_leaves_out_a_message_add_a_handler_or_an_otherwise;
template <class T>
struct this_class_is_not_an_actor_derive_from_troupe_Actor;
template <class S>
struct a_state_derives_from_troupe_State_of_its_machine;
template <class T>
struct an_actor_class_has_one_message_list_this_one_has_two;
template <class... Args>
struct no_constructor_takes;
template <class T>
struct child_arguments_must_be_copyable_to_build_the_next_incarnation;
template <class T, class P>
struct this_class_does_not_take_every_message_of_the_protocol;

template <class M>
struct a_process_answers_a_request_by_a_ReplyTo_as_second_parameter;

template <class M>
struct a_broadcast_has_no_single_answer_use_scatter_gather_first;

// what leaves its process
template <class M>
struct a_message_to_another_node_needs_a_schema;
template <class R>
struct a_Reply_from_another_node_needs_a_schema;

// what is stored
template <class E>
struct an_event_needs_a_schema;
template <class E>
struct the_state_has_no_apply_for_this_event;
template <class E>
struct this_event_is_not_listed_in_the_states_Events;
template <class State>
struct the_state_must_be_copyable_unless_its_apply_is_noexcept;
template <class Old>
struct an_old_event_needs_a_schema;
template <class Old>
struct the_state_has_no_upcast_for_this_old_event;
template <class Old>
struct an_upcast_returns_an_event_an_old_event_or_a_list_of_events;
template <class State>
struct the_state_names_no_Snapshot;
template <class Snapshot>
struct a_snapshot_needs_a_schema;
template <class State>
struct the_state_makes_no_snapshot_or_is_not_made_of_one;

// what an actor sends itself
template <class M>
struct a_repeated_message_must_be_copyable;
template <class R>
struct the_function_must_take_the_Result;

}  // namespace troupe::why
