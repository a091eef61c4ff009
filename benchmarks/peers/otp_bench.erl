%% The workloads on Erlang/OTP. Usage: erl +S W:W +P 4000000 -noshell -run otp_bench main WORKLOAD
-module(otp_bench).
-export([main/1, ponger/0, pinger/3, idle/0]).

main([Workload]) ->
    process_flag(message_queue_data, off_heap),
    run(list_to_atom(Workload)),
    erlang:halt(0).

result(Name, Value) -> io:format("RESULT ~s ~.3f~n", [Name, float(Value)]).
now_ns() -> erlang:monotonic_time(nanosecond).
timed(F, Size, Work) ->
    F(Size div 10),
    Begin = now_ns(),
    F(Size),
    (now_ns() - Begin) / Work.
resident() ->
    {ok, Bytes} = file:read_file("/proc/self/status"),
    {match, [Kb]} = re:run(Bytes, "VmRSS:\\s+(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Kb) * 1024.
wait_done(0) -> ok;
wait_done(N) -> receive done -> wait_done(N - 1) end.

run(pingpong) -> result(pingpong, timed(fun(N) -> ping_pong(1, N) end, 500000, 1000000));
run(pairs) -> result(pairs, timed(fun(N) -> ping_pong(1000, N) end, 500, 1000000));
run(fanin) -> result(fanin, timed(fun fan_in/1, 20000, 2000000));
run(ring) -> result(ring, timed(fun ring/1, 1000000, 1000000));
run(spawn) ->
    N = 500000,
    Bytes = resident(),
    Begin = now_ns(),
    Pids = spawn_all(N, []),
    wait_idle(),
    result(spawn, (now_ns() - Begin) / N),
    result(spawn_bytes, (resident() - Bytes) / N),
    length(Pids).

ping_pong(Pairs, N) ->
    Self = self(),
    Pingers = [spawn(?MODULE, pinger, [spawn(?MODULE, ponger, []), N, Self]) || _ <- lists:seq(1, Pairs)],
    [P ! go || P <- Pingers],
    wait_done(Pairs).
pinger(Ponger, N, Main) -> receive go -> Ponger ! {ping, self(), N}, pings(Ponger, N, Main) end.
pings(Ponger, 1, Main) -> receive {pong, _} -> Ponger ! stop, Main ! done end;
pings(Ponger, N, Main) -> receive {pong, _} -> Ponger ! {ping, self(), N}, pings(Ponger, N - 1, Main) end.
ponger() -> receive {ping, From, N} -> From ! {pong, N}, ponger(); stop -> ok end.

fan_in(N) ->
    Self = self(),
    Receiver = spawn_opt(fun() -> count(100 * N, Self) end, [{message_queue_data, off_heap}]),
    [spawn(fun() -> flood(Receiver, N) end) || _ <- lists:seq(1, 100)],
    wait_done(1).
count(0, Main) -> Main ! done;
count(N, Main) -> receive {number, _} -> count(N - 1, Main) end.
flood(_, 0) -> ok;
flood(To, N) -> To ! {number, N}, flood(To, N - 1).

ring(Hops) ->
    Main = self(),
    First = spawn(fun() -> receive {next, Next} -> node_loop(Next, Main) end end),
    Last = lists:foldl(fun(_, Next) -> spawn(fun() -> node_loop(Next, Main) end) end, First, lists:seq(2, 1000)),
    First ! {next, Last},
    Last ! {token, Hops},
    wait_done(1).
node_loop(Next, Main) ->
    receive
        {token, 0} -> Main ! done, node_loop(Next, Main);
        {token, N} -> Next ! {token, N - 1}, node_loop(Next, Main)
    end.

spawn_all(0, Pids) -> Pids;
spawn_all(N, Pids) -> spawn_all(N - 1, [spawn(?MODULE, idle, []) | Pids]).
idle() -> receive stop -> ok end.
wait_idle() ->
    case erlang:statistics(total_run_queue_lengths) of
        0 -> ok;
        _ -> erlang:yield(), wait_idle()
    end.
