#!/usr/bin/env escript
%% Times Erlang/OTP megaco's text codec on one message: megaco_bench.escript pretty|compact FILE COUNT
%% prints nanoseconds per decoded and per encoded message (median of nine blocks each).
-mode(compile).

main([Style, File, CountText]) ->
    {ok, Text} = file:read_file(File),
    Codec = case Style of
                "pretty" -> megaco_pretty_text_encoder;
                "compact" -> megaco_compact_text_encoder
            end,
    Count = list_to_integer(CountText),
    {ok, Message} = Codec:decode_message([], dynamic, Text),
    Version = element(2, element(3, Message)),
    Decode = fun() -> {ok, _} = Codec:decode_message([], dynamic, Text) end,
    Encode = fun() -> {ok, _} = Codec:encode_message([], Version, Message) end,
    io:format("~.1f ~.1f~n", [median(Decode, Count), median(Encode, Count)]).

median(Work, Count) ->
    repeat(Work, Count),
    Blocks = [block(Work, Count) || _ <- lists:seq(1, 9)],
    lists:nth(5, lists:sort(Blocks)).

block(Work, Count) ->
    Start = erlang:monotonic_time(nanosecond),
    repeat(Work, Count),
    (erlang:monotonic_time(nanosecond) - Start) / Count.

repeat(_, 0) -> ok;
repeat(Work, Count) -> Work(), repeat(Work, Count - 1).
