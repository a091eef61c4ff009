%% The remote workloads on Erlang's distribution. Usage: erl -name SERVER -run otp_remote serve;
%% erl -name CLIENT -run otp_remote main SERVER WORKLOAD. The sizes are those of remote/sizes.hpp.
-module(otp_remote).
-export([serve/0, main/1, served/1]).

serve() ->
    register(server, spawn(?MODULE, served, [0])),
    register(large, spawn(?MODULE, served, [0])).

served(Received) ->
    receive
        {item, _} -> served(Received + 1);
        {count, From} -> From ! {counted, Received}, served(0);
        {echo, From, Payload} -> From ! {echoed, Payload}, served(Received);
        {request, To, Sent, Payload} -> To ! {response, Sent, Payload}, served(Received)
    end.

main([Server, Workload]) ->
    Node = list_to_atom(Server),
    reach(Node, 200),
    run(list_to_atom(Workload), {server, Node}),
    spawn(Node, erlang, halt, [0]),
    timer:sleep(100),
    erlang:halt(0).

reach(Node, Left) when Left > 0 ->
    case rpc:call(Node, erlang, whereis, [large]) of
        Pid when is_pid(Pid) -> ok;
        _ -> timer:sleep(50), reach(Node, Left - 1)
    end.

result(Name, Value) -> io:format("RESULT ~s ~.3f~n", [Name, float(Value)]).
percentiles(Name, Nanoseconds) ->
    L = list_to_tuple(lists:sort(Nanoseconds)),
    [result(Name ++ Suffix, element(trunc(Part * tuple_size(L)) + 1, L) / 1000)
     || {Suffix, Part} <- [{"_p50", 0.5}, {"_p99", 0.99}, {"_p999", 0.999}]].
now_ns() -> erlang:monotonic_time(nanosecond).
payload(Bytes) -> binary:copy(<<0>>, Bytes).

run(oneway64, To) -> one_way("remote_oneway64", To, 64, 1000000);
run(oneway1k, To) -> one_way("remote_oneway1k", To, 1024, 300000);
run(rt, To) ->
    round_trips(To, 5000),
    percentiles("remote_rt", round_trips(To, 50000));
run(load, To) ->
    open_loop(To, 20000, 5000),
    percentiles("remote_load", open_loop(To, 20000, 60000));
run(large, {_, Node} = To) ->
    Main = self(),
    Sender = spawn(fun() -> send_large({large, Node}, payload(64 bsl 20), Main, 0) end),
    receive went -> ok end,
    Latencies = open_loop(To, 1000, 5000),
    Sender ! stop,
    receive {sent, N} when N > 1 -> ok end,
    percentiles("remote_beside_large", Latencies).

%% A sender is suspended while the connection has too much to send.
one_way(Name, To, Bytes, N) ->
    items(To, N div 10, {item, payload(Bytes)}),
    Begin = now_ns(),
    items(To, N, {item, payload(Bytes)}),
    result(Name, (now_ns() - Begin) / N).
items(To, N, Item) ->
    send_items(To, N, Item),
    To ! {count, self()},
    receive {counted, N} -> ok end.
send_items(_, 0, _) -> ok;
send_items(To, N, Item) -> To ! Item, send_items(To, N - 1, Item).

round_trips(To, N) -> round_trips(To, N, payload(64), atomics:new(N, [])).
round_trips(_, 0, _, Array) ->
    #{size := Size} = atomics:info(Array),
    [atomics:get(Array, I) || I <- lists:seq(1, Size)];
round_trips(To, N, Payload, Array) ->
    Begin = now_ns(),
    To ! {echo, self(), Payload},
    receive {echoed, _} -> ok end,
    atomics:put(Array, N, now_ns() - Begin),
    round_trips(To, N - 1, Payload, Array).

send_large(To, Payload, Main, Sent) ->
    To ! {echo, self(), Payload},
    receive {echoed, _} -> ok end,
    case Sent of 0 -> Main ! went; _ -> ok end,
    receive stop -> Main ! {sent, Sent + 1} after 0 -> send_large(To, Payload, Main, Sent + 1) end.

open_loop(To, Rate, N) ->
    Main = self(),
    Collector = spawn(fun() -> collect(N, atomics:new(N, []), Main) end),
    generate(To, Collector, Rate, N, 0, now_ns(), payload(64)),
    receive {latencies, L} -> L end.
generate(_, _, _, N, N, _, _) -> ok;
generate(To, Collector, Rate, N, Sent, Begin, Payload) ->
    Due = min(N, (now_ns() - Begin) * Rate div 1000000000),
    [To ! {request, Collector, now_ns(), Payload} || _ <- lists:seq(Sent + 1, Due)],
    receive after 1 -> ok end,
    generate(To, Collector, Rate, N, Due, Begin, Payload).
collect(0, Array, Main) ->
    #{size := Size} = atomics:info(Array),
    Main ! {latencies, [atomics:get(Array, I) || I <- lists:seq(1, Size)]};
collect(N, Array, Main) ->
    receive {response, Sent, _} -> atomics:put(Array, N, now_ns() - Sent), collect(N - 1, Array, Main) end.
