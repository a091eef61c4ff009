%% The workloads on Erlang/OTP. Usage: erl +S W:W +P 4000000 -noshell -run otp_bench main WORKLOAD
%% The sizes are those of measure.hpp.
-module(otp_bench).
-export([main/1, ponger/0, pinger/3, idle/0, worker/0, fib_actor/2, start_crasher/1, crasher/1]).
-export([init/1, handle_call/3, handle_cast/2]).

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
%% The same choices for every peer.
next(X) -> (X * 1103515245 + 12345) band 16#7fffffff.
index(X, N) -> (X bsr 8) rem N.

run(pingpong) -> result(pingpong, timed(fun(N) -> ping_pong(1, N) end, 500000, 1000000));
run(pairs) -> result(pairs, timed(fun(N) -> ping_pong(1000, N) end, 500, 1000000));
run(ring) -> result(ring, timed(fun ring/1, 1000000, 1000000));
run(big) -> result(big, timed(fun(N) -> big(120, N) end, 8000, 2 * 120 * 8000));
run(chameneos) -> result(chameneos, timed(fun(N) -> chameneos(100, N) end, 250000, 250000));
run(fanin) -> result(fanin, timed(fun fan_in/1, 20000, 2000000));
run(fjthroughput) -> result(fjthroughput, timed(fun(N) -> fork_join(60, N) end, 25000, 60 * 25000));
run(counting) -> result(counting, timed(fun counting/1, 2000000, 2000000));
run(radix) -> result(radix, timed(fun radix/1, 50000, 61 * 50000));
run(spawn) ->
    N = 500000,
    Bytes = resident(),
    Begin = now_ns(),
    Pids = spawn_all(N, []),
    wait_idle(),
    result(spawn, (now_ns() - Begin) / N),
    result(spawn_bytes, (resident() - Bytes) / N),
    length(Pids);
run(stop) -> spawn_and_stop(20000), result(stop, spawn_and_stop(200000));
run(fjcreate) -> result(fjcreate, timed(fun create/1, 50000, 50000));
run(fib) ->
    fib(18),
    Begin = now_ns(),
    196418 = fib(27),
    result(fib, (now_ns() - Begin) / 1.0e6);
run(ask1) -> result(ask1, timed(fun(N) -> serve(1, N) end, 500000, 500000));
run(ask100) -> result(ask100, timed(fun(N) -> serve(100, N div 100) end, 500000, 500000));
run(banking) -> result(banking, timed(fun(N) -> bank(1000, N) end, 100000, 100000));
run(restart_1k) -> result(restart_1k, restart(1000));
%% A tenth of the others', so that it ends: the more restarts its window holds, the longer each takes.
run(restart_100k) -> result(restart_100k, restart(10000));
run(timers) -> timers(1000000);
run(load50k) -> load("load50k", 50000);
run(load200k) -> load("load200k", 200000).

%% ---- messages that are answered by messages
ping_pong(Pairs, N) ->
    Self = self(),
    Pingers = [spawn(?MODULE, pinger, [spawn(?MODULE, ponger, []), N, Self]) || _ <- lists:seq(1, Pairs)],
    [P ! go || P <- Pingers],
    wait_done(Pairs).
pinger(Ponger, N, Main) -> receive go -> Ponger ! {ping, self(), N}, pings(Ponger, N, Main) end.
pings(Ponger, 1, Main) -> receive {pong, _} -> Ponger ! stop, Main ! done end;
pings(Ponger, N, Main) -> receive {pong, _} -> Ponger ! {ping, self(), N}, pings(Ponger, N - 1, Main) end.
ponger() -> receive {ping, From, N} -> From ! {pong, N}, ponger(); stop -> ok end.

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

big(Actors, N) ->
    Main = self(),
    Pids = [spawn(fun() -> receive {all, All} -> visit(All, N, I * 7919 + 1, Main) end end)
            || I <- lists:seq(0, Actors - 1)],
    [P ! {all, list_to_tuple(Pids)} || P <- Pids],
    wait_done(Actors),
    [P ! stop || P <- Pids].
visit(All, 0, X, Main) -> Main ! done, neighbor(All, 0, X, Main);
visit(All, N, X, Main) ->
    X1 = next(X),
    element(index(X1, tuple_size(All)) + 1, All) ! {ping, self()},
    neighbor(All, N, X1, Main).
neighbor(All, N, X, Main) ->
    receive
        {ping, From} -> From ! pong, neighbor(All, N, X, Main);
        pong -> visit(All, N - 1, X, Main);
        stop -> ok
    end.

chameneos(Creatures, N) ->
    Main = self(),
    Mall = spawn(fun() -> mall(N, none, Creatures, Main) end),
    [spawn(fun() -> Mall ! {enter, self(), I rem 3}, creature(Mall, I rem 3, 0) end) || I <- lists:seq(1, Creatures)],
    wait_done(1).
mall(_, _, 0, Main) -> Main ! done;
mall(0, none, Creatures, Main) ->
    receive
        {enter, Pid, _} -> Pid ! closed, mall(0, none, Creatures, Main);
        {left, _} -> mall(0, none, Creatures - 1, Main)
    end;
mall(N, none, Creatures, Main) ->
    receive {enter, Pid, Color} -> mall(N, {Pid, Color}, Creatures, Main) end;
mall(N, {One, OneColor}, Creatures, Main) ->
    receive {enter, Other, OtherColor} -> One ! {change, OtherColor}, Other ! {change, OneColor} end,
    mall(N - 1, none, Creatures, Main).
creature(Mall, Color, Met) ->
    receive
        {change, Other} ->
            New = complement(Color, Other),
            Mall ! {enter, self(), New},
            creature(Mall, New, Met + 1);
        closed -> Mall ! {left, Met}
    end.
complement(Color, Color) -> Color;
complement(Mine, Theirs) -> 3 - Mine - Theirs.

%% ---- floods of messages nobody answers
fan_in(N) ->
    Self = self(),
    Receiver = spawn_opt(fun() -> count(100 * N, Self) end, [{message_queue_data, off_heap}]),
    [spawn(fun() -> flood([Receiver], N) end) || _ <- lists:seq(1, 100)],
    wait_done(1).
count(0, Main) -> Main ! done;
count(N, Main) -> receive {number, _} -> count(N - 1, Main) end.
flood(_, 0) -> ok;
flood(To, N) -> flood_each(To, N), flood(To, N - 1).
flood_each([], _) -> ok;
flood_each([To | Rest], N) -> To ! {number, N}, flood_each(Rest, N).

fork_join(Actors, N) ->
    Self = self(),
    flood([spawn(fun() -> count(N, Self) end) || _ <- lists:seq(1, Actors)], N),
    wait_done(Actors).

counting(N) ->
    Main = self(),
    Counter = spawn(fun() -> counter(0) end),
    spawn(fun() ->
        increment(Counter, N),
        Counter ! {get, self()},
        receive {count, N} -> Main ! done end
    end),
    wait_done(1).
increment(_, 0) -> ok;
increment(Counter, N) -> Counter ! increment, increment(Counter, N - 1).
counter(N) -> receive increment -> counter(N + 1); {get, From} -> From ! {count, N} end.

radix(N) ->
    Main = self(),
    Checker = spawn(fun() -> check(N, 0, Main) end),
    First = lists:foldl(fun(Bit, To) -> spawn(fun() -> sort(N, 1 bsl Bit, To, []) end) end, Checker,
                        lists:seq(58, 0, -1)),
    spawn(fun() -> source(First, N, 74755) end),
    wait_done(1).
source(_, 0, _) -> ok;
source(To, N, X) ->
    X1 = next(X),
    X2 = next(X1),
    To ! {number, (X1 bsl 28) bxor X2},
    source(To, N - 1, X2).
sort(0, _, To, Ones) -> [To ! {number, One} || One <- lists:reverse(Ones)];
sort(N, Bit, To, Ones) ->
    receive
        {number, V} when V band Bit =:= 0 -> To ! {number, V}, sort(N - 1, Bit, To, Ones);
        {number, V} -> sort(N - 1, Bit, To, [V | Ones])
    end.
check(0, _, Main) -> Main ! done;
check(N, Last, Main) -> receive {number, V} when V >= Last -> check(N - 1, V, Main) end.

%% ---- actors that come and go
spawn_all(0, Pids) -> Pids;
spawn_all(N, Pids) -> spawn_all(N - 1, [spawn(?MODULE, idle, []) | Pids]).
idle() -> receive stop -> ok end.
wait_idle() ->
    case erlang:statistics(total_run_queue_lengths) of
        0 -> ok;
        _ -> erlang:yield(), wait_idle()
    end.
spawn_and_stop(N) ->
    Others = erlang:system_info(process_count),
    Pids = spawn_all(N, []),
    wait_idle(),
    Begin = now_ns(),
    [P ! stop || P <- Pids],
    wait_count(Others),
    (now_ns() - Begin) / N.
wait_count(N) ->
    case erlang:system_info(process_count) =< N of
        true -> ok;
        false -> erlang:yield(), wait_count(N)
    end.

create(N) -> create(N, self()), wait_done(N).
create(0, _) -> ok;
create(N, Self) -> spawn(?MODULE, worker, []) ! {job, Self}, create(N - 1, Self).
worker() -> receive {job, From} -> From ! done end.

fib(N) -> spawn(?MODULE, fib_actor, [self(), N]), receive {term, Value} -> Value end.
fib_actor(Parent, N) when N =< 2 -> Parent ! {term, 1};
fib_actor(Parent, N) ->
    Self = self(),
    spawn(?MODULE, fib_actor, [Self, N - 1]),
    spawn(?MODULE, fib_actor, [Self, N - 2]),
    receive {term, A} -> receive {term, B} -> Parent ! {term, A + B} end end.

%% ---- asks
init(server) -> {ok, 0};
init({supervisor, Tester}) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
          [#{id => crasher, start => {?MODULE, start_crasher, [Tester]}, restart => permanent}]}}.
handle_call({next, N}, _, State) -> {reply, N + 1, State};
handle_call(stop, _, State) -> {stop, normal, ok, State}.
handle_cast(_, State) -> {noreply, State}.
serve(Clients, N) ->
    Self = self(),
    {ok, Server} = gen_server:start(?MODULE, server, []),
    [spawn(fun() -> ask(Server, 0, N), Self ! done end) || _ <- lists:seq(1, Clients)],
    wait_done(Clients),
    gen_server:call(Server, stop).
ask(_, N, N) -> ok;
ask(Server, I, N) -> ask(Server, gen_server:call(Server, {next, I}, infinity), N).

bank(Accounts, N) ->
    Main = self(),
    All = list_to_tuple([spawn(fun() -> account(1.0e12) end) || _ <- lists:seq(1, Accounts)]),
    spawn_opt(fun() -> transfer(All, N, 42), wait_done(N), Main ! done end, [{message_queue_data, off_heap}]),
    wait_done(1),
    [P ! stop || P <- tuple_to_list(All)].
transfer(_, 0, _) -> ok;
transfer(All, N, X) ->
    Accounts = tuple_size(All),
    X1 = next(X),
    X2 = next(X1),
    From = index(X1, Accounts div 10 * 8),
    To = From + 1 + index(X2, Accounts - From - 1),
    element(From + 1, All) ! {credit, self(), 1.5, element(To + 1, All)},
    transfer(All, N - 1, X2).
account(Balance) ->
    receive
        {credit, Teller, Amount, To} ->
            Ref = make_ref(),
            To ! {debit, self(), Ref, Amount},
            receive {Ref, ok} -> ok end,
            Teller ! done,
            account(Balance - Amount);
        {debit, From, Ref, Amount} ->
            From ! {Ref, ok},
            account(Balance + Amount);
        stop -> ok
    end.

%% ---- a supervisor restarts a child each time it crashes
restart(N) ->
    logger:set_primary_config(level, none),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, self()}),
    First = receive {up, Pid} -> Pid end,
    Next = crash(First, N div 10),
    Begin = now_ns(),
    crash(Next, N),
    Time = now_ns() - Begin,
    unlink(Supervisor),
    Time / N.
crash(Pid, 0) -> Pid;
crash(Pid, N) -> Pid ! crash, receive {up, Next} -> crash(Next, N - 1) end.
start_crasher(Tester) -> proc_lib:start_link(?MODULE, crasher, [Tester]).
crasher(Tester) ->
    proc_lib:init_ack({ok, self()}),
    Tester ! {up, self()},
    receive crash -> exit(boom) end.

%% ---- by the clock
timers(N) ->
    {Cpu, _} = erlang:statistics(runtime),
    Bytes = resident(),
    Begin = now_ns(),
    start_timers(N, 42),
    result(timers_create, (now_ns() - Begin) / N),
    result(timers_bytes, (resident() - Bytes) / N),
    wait_timers(N),
    {CpuNow, _} = erlang:statistics(runtime),
    result(timers_cpu, (CpuNow - Cpu) * 1.0e6 / N).
start_timers(0, _) -> ok;
start_timers(N, X) ->
    X1 = next(X),
    Delay = 2000 + index(X1, 1000),
    erlang:send_after(Delay, self(), {due, now_ns() + Delay * 1000000}),
    start_timers(N - 1, X1).
wait_timers(0) -> ok;
wait_timers(N) -> receive {due, At} -> true = now_ns() >= At, wait_timers(N - 1) end.

load(Name, Rate) ->
    Servers = list_to_tuple([spawn(fun server/0) || _ <- lists:seq(1, 100)]),
    latencies(Servers, Rate, Rate * 3 div 10),
    Latencies = list_to_tuple(lists:sort(latencies(Servers, Rate, Rate * 15 div 10))),
    [result(Name ++ Suffix, element(trunc(Part * tuple_size(Latencies)) + 1, Latencies) / 1000)
     || {Suffix, Part} <- [{"_p50", 0.5}, {"_p99", 0.99}, {"_p999", 0.999}]].
latencies(Servers, Rate, N) ->
    Main = self(),
    %% an array: a growing list would be measured with its collections
    Collector = spawn(fun() -> collect(N, atomics:new(N, []), Main) end),
    generate(Servers, Collector, Rate, N, 0, now_ns(), 1),
    receive {latencies, L} -> L end.
generate(_, _, _, N, N, _, _) -> ok;
generate(Servers, Collector, Rate, N, Sent, Begin, X) ->
    Due = min(N, (now_ns() - Begin) * Rate div 1000000000),
    X1 = request(Servers, Collector, Due - Sent, X),
    receive after 1 -> ok end,
    generate(Servers, Collector, Rate, N, Due, Begin, X1).
request(_, _, 0, X) -> X;
request(Servers, Collector, Left, X) ->
    X1 = next(X),
    element(index(X1, 100) + 1, Servers) ! {request, Collector, now_ns()},
    request(Servers, Collector, Left - 1, X1).
server() -> receive {request, To, Sent} -> To ! {response, Sent}, server() end.
collect(0, Array, Main) ->
    #{size := Size} = atomics:info(Array),
    Main ! {latencies, [atomics:get(Array, I) || I <- lists:seq(1, Size)]};
collect(N, Array, Main) ->
    receive {response, Sent} -> atomics:put(Array, N, now_ns() - Sent), collect(N - 1, Array, Main) end.
