#!/usr/bin/env escript
%%! -noshell -kernel logger_level error
%% An H.248 peer on Erlang/OTP megaco (Debian package erlang-megaco).
%%   h248.escript conv FROM TO IN OUT       FROM,TO = pretty|compact|ber|berstd|per
%%   h248.escript show FROM IN
%%   h248.escript codec                     a codec at a pipe: see codec_loop (started with ERL_FLAGS=-noinput)
%%   h248.escript vectors SRCDIR OUTDIR     SRCDIR/*.txt -> OUTDIR/*.{pretty,compact,ber,hex,term,ber.pretty}
%%   h248.escript mgc T E PORT VER SCRIPT   act as MGC: T = udp|tcp, E = pretty|compact|ber|berstd
%%       listens on PORT, answers ServiceChange, then runs SCRIPT, prints every decoded reply
%%   h248.escript mg  T E PORT VER [SECS]   toy MG (self-test partner) which registers to 127.0.0.1:PORT
%% SCRIPT: sections divided by a line "---"; a section = lines starting "@" (directives) + one action list as text.
%%   ${ctx} = last real context id, ${t1}.. = n-th termination id returned by any Add, ${name} = @save'd
%%   @expect REGEX    on the pretty text of the reply (repeatable)    @reject REGEX
%%   @error N         the reply must carry ErrorDescriptor N (default: it must carry none)
%%   @save N REGEX    first capture group -> ${N}
%%   @wait notify MS  wait for a Notify from the MG (its text is then used for @expect)
%%   @sleep MS
%% exit status 0: all as expected.
-module(h248).
-mode(compile).
-export([main/1]).
-export([handle_connect/2, handle_connect/3, handle_disconnect/3, handle_syntax_error/3, handle_syntax_error/4,
         handle_message_error/3, handle_message_error/4, handle_trans_request/3, handle_trans_request/4,
         handle_trans_long_request/3, handle_trans_long_request/4, handle_trans_reply/4, handle_trans_reply/5,
         handle_trans_ack/4, handle_trans_ack/5, handle_unexpected_trans/3, handle_unexpected_trans/4,
         handle_trans_request_abort/4, handle_trans_request_abort/5,
         handle_segment_reply/5, handle_segment_reply/6]).
-export([encode_name/3, decode_name/3]).
-export([encode_message/3, decode_message/3, decode_mini_message/3]).
%% The records of megaco.hrl (OTP 25 and later), spelled out because Debian packs the header apart from the application.
-record(megaco_term_id, {contains_wildcards = false, id}).
-record(megaco_receive_handle, {local_mid, encoding_mod, encoding_config, send_mod, protocol_version = dynamic}).
-record(megaco_incr_timer, {wait_for = 7000, factor = 2, incr = 0, max_retries = infinity}).

main(["conv", From, To, In, Out]) ->
    {ok, B} = file:read_file(In),
    case dec(list_to_atom(From), B) of
        {ok, M} ->
            case enc(list_to_atom(To), M) of
                {ok, O} -> ok = file:write_file(Out, O);
                E -> io:format("ENCODE ERROR ~p~n", [E]), halt(2)
            end;
        E -> io:format("DECODE ERROR ~p~n", [E]), halt(1)
    end;
main(["show", From, In]) ->
    {ok, B} = file:read_file(In),
    case dec(list_to_atom(From), B) of
        {ok, M} -> {ok, P} = enc(pretty, M), io:format("~p~n~s~n", [M, P]);
        E -> io:format("DECODE ERROR ~p~n", [E]), halt(1)
    end;
main(["vectors", Src, Out]) ->
    Files = lists:sort(filelib:wildcard(filename:join(Src, "*.txt"))),
    R = [vec(F, Out) || F <- Files],
    Bad = [F || {F, bad} <- lists:zip(Files, R)],
    io:format("~p messages, ~p bad ~p~n", [length(Files), length(Bad), Bad]),
    halt(case Bad of [] -> 0; _ -> 1 end);
main(["codec"]) ->
    ok = logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    codec_loop(open_port({fd, 0, 1}, [binary, eof, {packet, 4}]));
main(["mgc", T, E, Port, Ver, Script]) ->
    mgc(list_to_atom(T), list_to_atom(E), list_to_integer(Port), list_to_integer(Ver), Script);
main(["mg", T, E, Port, Ver]) -> main(["mg", T, E, Port, Ver, "20"]);
main(["mg", T, E, Port, Ver, Secs]) ->
    mg(list_to_atom(T), list_to_atom(E), list_to_integer(Port), list_to_integer(Ver), list_to_integer(Secs));
main(_) -> io:format("usage: see head of file~n"), halt(64).

%% ---------------------------------------------------------------- codec
vec(F, Out) ->
    Base = filename:join(Out, filename:basename(F, ".txt")),
    {ok, T} = file:read_file(F),
    try
        {ok, M}   = dec(pretty, T),
        {ok, P}   = enc(pretty, M),  ok = file:write_file(Base ++ ".pretty", P),
        {ok, C}   = enc(compact, M), ok = file:write_file(Base ++ ".compact", C),
        ok = file:write_file(Base ++ ".term", io_lib:format("~p.~n", [M])),
        {ok, B0}  = enc(ber, M),     B = iolist_to_binary(B0),
        ok = file:write_file(Base ++ ".ber", B),
        ok = file:write_file(Base ++ ".hex", [hex(B), "\n"]),
        {ok, S0}  = enc(berstd, M),  S = iolist_to_binary(S0),
        ok = file:write_file(Base ++ ".berstd", S),
        ok = file:write_file(Base ++ ".berstd.hex", [hex(S), "\n"]),
        {ok, MS}  = dec(berstd, S),
        {ok, MC}  = dec(compact, iolist_to_binary(C)),
        {ok, MB}  = dec(ber, B),
        {ok, B2}  = enc(ber, MB),
        {ok, P2}  = enc(pretty, MB),
        ok = file:write_file(Base ++ ".ber.pretty", P2),
        {ok, M2}  = dec(pretty, iolist_to_binary(P2)),
        {ok, P3}  = enc(pretty, MS),
        {ok, M3}  = dec(pretty, iolist_to_binary(P3)),
        {TF, BF, SF} = {MC =:= M, iolist_to_binary(B2) =:= B, {M2, M3} =:= {M, M}},
        io:format("~-30s pretty ~5w compact ~5w ber ~5w  compact=term:~p ber-fixpoint:~p via-ber=term:~p~n",
            [filename:basename(F), byte_size(iolist_to_binary(P)), byte_size(iolist_to_binary(C)), byte_size(B), TF, BF, SF]),
        case TF andalso BF andalso SF of true -> good; false -> bad end
    catch error:{badmatch, X} -> io:format("~s FAILED ~p~n", [F, X]), bad
    end.
hex(B) -> [io_lib:format("~2.16.0b", [X]) || <<X>> <= B].
mod(pretty)  -> {megaco_pretty_text_encoder, []};
mod(compact) -> {megaco_compact_text_encoder, []};
mod(ber)     -> {megaco_ber_encoder, [{binary_name_resolver, {?MODULE, []}}]};
mod(berstd)  -> mod(ber);
mod(per)     -> {megaco_per_encoder, [{binary_name_resolver, {?MODULE, []}}]}.
dec(K, Bin) ->
    {Mod, Conf} = mod(K),
    %% trap: megaco_ber_encoder:decode_message(_, dynamic, _) always uses version 1, so ask for the version first
    V = case lists:member(K, [ber, berstd, per]) of
            true -> case (catch Mod:version_of(Conf, Bin)) of {ok, Ver} -> Ver; _ -> 3 end;
            false -> dynamic end,
    case (catch Mod:decode_message(Conf, V, Bin)) of
        {ok, M} when K =:= berstd -> {ok, inner(fun unwrap/2, M)};
        {ok, M} -> {ok, M};
        E -> {error, {K, E}} end.
%% OTP puts the plain text of a value into the OCTET STRINGs of PropertyParm, EventParameter, SigParameter, StatValue and
%% serviceChangeReason; H.248.1 wants the BER of the value's type there (and Wireshark reads it so): "berstd" adds/removes
%% that inner TLV: IA5String for SDP and text, INTEGER for decimal numbers.
inner(F, {'PropertyParm', N, Vs, X}) -> {'PropertyParm', N, [F(sdp_or(N), V) || V <- Vs], X};
inner(F, {'EventParameter', N, Vs, X}) -> {'EventParameter', N, [F(val, V) || V <- Vs], X};
inner(F, {'SigParameter', N, Vs, X}) -> {'SigParameter', N, [F(val, V) || V <- Vs], X};
inner(F, {'StatisticsParameter', N, Vs}) when is_list(Vs) -> {'StatisticsParameter', N, [F(val, V) || V <- Vs]};
inner(F, T) when element(1, T) =:= 'ServiceChangeParm', is_list(element(6, T)) -> setelement(6, T, [F(sdp, V) || V <- element(6, T)]);
inner(F, T) when is_tuple(T) -> list_to_tuple([inner(F, E) || E <- tuple_to_list(T)]);
inner(F, L) when is_list(L) -> case io_lib:printable_list(L) of true -> L; false -> [inner(F, E) || E <- L] end;
inner(_, X) -> X.
sdp_or([_]) -> sdp;
sdp_or(_) -> val.
wrap(val, V) -> case re:run(V, "^[0-9]+$") of
        nomatch -> wrap(sdp, V);
        _ -> B = binary:encode_unsigned(list_to_integer(V)), B2 = case B of <<1:1, _/bits>> -> <<0, B/binary>>; _ -> B end, [2, byte_size(B2) | binary_to_list(B2)] end;
wrap(sdp, V) when length(V) < 128 -> [22, length(V) | V];
wrap(sdp, V) when length(V) < 256 -> [22, 129, length(V) | V];
wrap(sdp, V) -> [22, 130, length(V) bsr 8, length(V) band 255 | V].
unwrap(_, [1, 1, B]) -> case B of 0 -> "OFF"; _ -> "ON" end;
unwrap(_, [10, L | V]) when L =:= length(V) -> integer_to_list(binary:decode_unsigned(list_to_binary(V)));
unwrap(_, [2, L | V]) when L =:= length(V) -> integer_to_list(binary:decode_unsigned(list_to_binary(V)));
unwrap(_, [T, L | V]) when L =:= length(V), T =:= 22 orelse T =:= 12 orelse T =:= 4 -> V;
unwrap(_, [22, 129, L | V]) when L =:= length(V) -> V;
unwrap(_, [22, 130, H, L | V]) when H * 256 + L =:= length(V) -> V;
unwrap(_, V) -> V.
enc(berstd, M) -> enc(ber, inner(fun wrap/2, M));
enc(K, M) ->
    {Mod, Conf} = mod(K),
    V = element(2, element(3, M)),
    case (catch Mod:encode_message(Conf, V, M)) of {ok, B} -> {ok, B}; E -> {error, {K, E}} end.

%% codec callbacks for the live stack (encoding_mod = this module) with berstd
encode_message(_EC, V, M) -> put(v, V), enc(berstd, M).
decode_message(_EC, _V, Bin) -> case dec(berstd, Bin) of {ok, M} -> {ok, M}; {error, E} -> {error, E} end.
decode_mini_message(_EC, V, Bin) -> megaco_ber_encoder:decode_mini_message([], case V of dynamic -> 1; _ -> V end, Bin).

%% ---- names in binary.  Termination id text  type/group/interface/id  <->  8 octets [8,8,16,32] (our own
%% choice, H.248.1 leaves it to provisioning): type ip=1 aln=2, group 0..255, interface access=1 core=2 or a number.
-define(TIDCFG, [8,8,16,32]).
-define(LEVELNAMES, [{1,"ip",1},{1,"aln",2},{3,"access",1},{3,"core",2}]).
encode_name(_, term_id, T) when is_record(T, megaco_term_id) -> tid_enc(T);
encode_name(_, Scope, Item) when is_list(Item), Scope =/= mid, Scope =/= dialplan ->
    try megaco_binary_name_resolver_v3:encode_name([8,8,8], Scope, Item)
    catch _:_ -> xenc(Scope, Item) end;
encode_name(_, Scope, Item) -> megaco_binary_name_resolver_v3:encode_name([8,8,8], Scope, Item).
decode_name(_, term_id, T) -> tid_dec(T);
decode_name(_, Scope, Item) ->
    try megaco_binary_name_resolver_v3:decode_name([8,8,8], Scope, Item)
    catch _:_ when is_list(Item) -> xdec(Scope, Item) end.
%% packages unknown to OTP: numbers as in Wireshark's copy of the IANA table; items: first items of the packages, unverified;
%% anything else may be written "xHHHH" (package) / "pkg/xHHHH" (item) in the text
-define(XPKG, [{"it",16#45},{"chp",16#29},{"ocp",16#51},{"ds",16#8b},{"gm",16#8c},{"tman",16#8d},{"hangterm",16#98},{"ipnapt",16#99},
               {"adid",16#9c},{"ipdc",16#9d},{"mgcinfo",16#a0},{"seg",16#a3},{"rtcph",16#b5},{"ipra",16#e0}]).
-define(XITEM, [{"adid/ipstop",1},{"hangterm/thb",1},{"ipnapt/latch",1},{"mgcinfo/db",1},{"it/ito",1},{"ds/dscp",1},{"ipdc/realm",1},
                {"gm/saf",1},{"gm/sam",2},{"gm/spf",3},{"gm/spr",4},{"gm/esas",5},{"gm/lsa",6},{"gm/esps",7},{"gm/lsp",8},{"gm/rsb",9},
                {"tman/pol",1},{"tman/pdr",2},{"tman/dvt",3},{"tman/sdr",4},{"tman/mbs",5},{"rtcph/rsb",9},{"srtp/keyexpiry",1}]).
-define(XSTAT, [{"gm/dp",1}]).
-define(XPAR, [{"adid/ipstop","dt",1},{"adid/ipstop","dir",2},{"hangterm/thb","timerx",1},{"ipnapt/latch","napt",1},{"it/ito","mit",1}]).
xenc(Scope, Item0) ->
    Item = string:lowercase(Item0),
    case {Scope, string:split(Item, "/")} of
        {{_, Of}, [P]} -> n2(xnum(P, [N || {O, S, N} <- ?XPAR, O =:= string:lowercase(Of), S =:= P]));
        {_, [P]} -> n2(xnum(P, [N || {S, N} <- ?XPKG, S =:= P]));
        {_, [P, I]} -> n2(xnum(P, [N || {S, N} <- ?XPKG, S =:= P])) ++ n2(xnum(I, [N || {S, N} <- ?XITEM ++ ?XSTAT, S =:= Item]))
    end.
n2(N) -> [N bsr 8, N band 255].
xnum(_, [N]) -> N;
xnum("*", _) -> 65535;
xnum([$x, A, B, C, D], []) -> list_to_integer([A, B, C, D], 16).
xdec({_, Of0}, [A, B]) ->
    Of = case Of0 of [_, _, _, _] -> decode_name(x, event, Of0); _ -> Of0 end,
    case [S || {O, S, N} <- ?XPAR, O =:= Of, N =:= A * 256 + B] of [S] -> S; [] -> xhex(A * 256 + B) end;
xdec(_, [A, B]) -> xname(A * 256 + B);
xdec(Scope, [A, B, C, D]) ->
    P = xname(A * 256 + B), N = C * 256 + D,
    Items = case Scope of statistics -> ?XSTAT; _ -> ?XITEM end,
    case [S || {S, M} <- Items, M =:= N, lists:prefix(P ++ "/", S)] of
        [S] -> S;
        [] when N =:= 65535 -> P ++ "/*";
        [] -> P ++ "/" ++ xhex(N)
    end.
xhex(N) -> lists:flatten(io_lib:format("x~4.16.0b", [N])).
xname(N) -> case [S || {S, M} <- ?XPKG, M =:= N] of [S] -> S; [] -> xhex(N) end.
tid_enc(#megaco_term_id{id = ["root"]}) -> {'TerminationID', [], lists:duplicate(8, 255)};
tid_enc(#megaco_term_id{id = Ls}) ->
    {Bits, Wild} = tid_enc(Ls, ?TIDCFG, 1, lists:sum(?TIDCFG), <<>>, []),
    {'TerminationID', Wild, [X || <<X>> <= Bits]}.
tid_enc([], Cs, _, _, Acc, W) -> {<<Acc/bits, 0:(lists:sum(Cs))>>, lists:reverse(W)};
tid_enc([[C] | R], [B | Cs], N, Left, Acc, W) when C =:= $$; C =:= $* ->
    Rec = case {R, Cs} of {[], [_|_]} -> 16#40; _ -> 0 end,
    tid_enc(R, Cs, N + 1, Left - B, <<Acc/bits, 0:B>>, [[case C of $$ -> 0; $* -> 16#80 end + Rec + Left - 1] | W]);
tid_enc([L | R], [B | Cs], N, Left, Acc, W) ->
    V = case [X || {N1, S, X} <- ?LEVELNAMES, N1 =:= N, S =:= L] of [X] -> X; [] -> list_to_integer(L) end,
    tid_enc(R, Cs, N + 1, Left - B, <<Acc/bits, V:B>>, W).
tid_dec({'TerminationID', _, [255,255,255,255,255,255,255,255]}) -> #megaco_term_id{contains_wildcards = false, id = ["root"]};
tid_dec({'TerminationID', W, Id}) ->
    Ws = [X || [X] <- W],
    Ls = tid_dec(list_to_binary(Id), ?TIDCFG, 1, lists:sum(?TIDCFG), Ws),
    #megaco_term_id{contains_wildcards = Ws =/= [], id = Ls}.
tid_dec(_, [], _, _, _) -> [];
tid_dec(Bin, [B | Cs], N, Left, Ws) ->
    <<V:B, Rest/bits>> = Bin,
    case [X || X <- Ws, X band 16#3f =:= Left - 1] of
        [X] when X band 16#40 =/= 0 -> [wc(X)];
        [X] -> [wc(X) | tid_dec(Rest, Cs, N + 1, Left - B, Ws)];
        [] -> S = case [X || {N1, X, V1} <- ?LEVELNAMES, N1 =:= N, V1 =:= V] of [X] -> X; [] -> integer_to_list(V) end,
              [S | tid_dec(Rest, Cs, N + 1, Left - B, Ws)]
    end.
wc(X) when X band 16#80 =/= 0 -> "*"; wc(_) -> "$".

%% ---------------------------------------------------------------- codec at a pipe
%% Standard input and output carry packets with a length of 4 octets before each. A question is a line "FROM TO" and a message in
%% encoding FROM; the answer is "+" and the message in encoding TO, or "-" and what is wrong with it. "FROM TO SEED" changes the
%% message here and there before it is encoded, by chance, but the same for the same seed.
codec_loop(Port) ->
    receive
        {Port, {data, Question}} -> port_command(Port, codec(Question)), codec_loop(Port);
        {Port, eof} -> halt(0);
        {'EXIT', Port, _} -> halt(0)
    end.
codec(Question) ->
    [Line, Message] = binary:split(Question, <<"\n">>),
    [From, To | Seed] = [binary_to_list(W) || W <- binary:split(Line, <<" ">>, [global])],
    case dec(list_to_atom(From), Message) of
        {ok, M} ->
            case enc(list_to_atom(To), changed(Seed, M)) of
                {ok, Out} -> [$+, Out];
                E -> [$-, io_lib:format("cannot encode: ~P", [E, 60])]
            end;
        E -> [$-, io_lib:format("cannot decode: ~P", [E, 60])]
    end.
changed([], M) -> M;
changed([Seed], {_, Auth, {_, V, Mid, Body}}) ->
    rand:seed(exsss, list_to_integer(Seed)),
    {'MegacoMessage', Auth, {'Message', V, Mid, change(Body)}}.
%% A walk through the term that leaves out, doubles, swaps and exchanges; what became nonsense is found out by the codecs.
change(T) when is_tuple(T), is_atom(element(1, T)) ->
    [Tag | Fields] = tuple_to_list(T), list_to_tuple([Tag | [change_field(F) || F <- Fields]]);
change(L) when is_list(L) ->
    case io_lib:printable_latin1_list(L) of
        true -> change_text(L);
        false -> change_list([change(E) || E <- L])
    end;
change(N) when is_integer(N) -> once(40, fun() -> lists:nth(rand:uniform(6), [0, 1, 99, 65535, 65536, 4294967294]) end, N);
change(X) -> X.
change_field(F) -> once(40, fun() -> asn1_NOVALUE end, change(F)).
change_text(L) -> once(40, fun() -> lists:nth(rand:uniform(6), ["x", "$", "*", "on", "a b", "1"]) end, L).
change_list(L) ->
    case rand:uniform(60) of
        1 -> tl(L);
        2 -> [hd(L) | L];
        3 -> lists:reverse(L);
        4 -> [];
        _ -> L
    end.
once(N, F, X) -> case rand:uniform(N) of 1 -> F(); _ -> X end.

%% ---------------------------------------------------------------- text templating of actions
txt2acts(request, V, Body) ->
    M = iolist_to_binary(io_lib:format("MEGACO/~p <x>\nTransaction = 1 {\n~s\n}\n", [V, Body])),
    case dec(pretty, M) of
        {ok, {_, _, {_, _, _, {transactions, [{transactionRequest, TR}]}}}} -> {ok, element(3, TR)};
        E -> {error, E}
    end;
txt2acts(reply, V, Body) ->
    M = iolist_to_binary(io_lib:format("MEGACO/~p <x>\nReply = 1 {\n~s\n}\n", [V, Body])),
    case dec(pretty, M) of
        {ok, {_, _, {_, _, _, {transactions, [{transactionReply, TR}]}}}} -> {actionReplies, A} = element(4, TR), {ok, A};
        E -> {error, E}
    end.
acts2txt(Kind, V, Acts) ->
    Tr = case {Kind, V} of
             {request, _} -> {transactionRequest, {'TransactionRequest', 1, Acts}};
             {reply, 3}   -> {transactionReply, {'TransactionReply', 1, asn1_NOVALUE, {actionReplies, Acts}, asn1_NOVALUE, asn1_NOVALUE}};
             {reply, _}   -> {transactionReply, {'TransactionReply', 1, asn1_NOVALUE, {actionReplies, Acts}}}
         end,
    M = {'MegacoMessage', asn1_NOVALUE, {'Message', V, {deviceName, "x"}, {transactions, [Tr]}}},
    case enc(pretty, M) of
        {ok, B} -> binary_to_list(iolist_to_binary(B));
        E -> lists:flatten(io_lib:format("(not text-encodable: ~p) ~p", [E, Acts]))
    end.

%% ---------------------------------------------------------------- MGC
mgc(T, E, Port, V, Script) ->
    ok = start_app(), ets:new(h248, [named_table, public]), ets:insert(h248, [{role, mgc}, {main, self()}, {version, V}]),
    Mid = {domainName, {'DomainName', "mgc.test", asn1_NOVALUE}},
    {EncMod, EncConf} = case E of berstd -> {?MODULE, []}; _ -> mod(E) end,
    ok = megaco:start_user(Mid, [{user_mod, ?MODULE}, {protocol_version, V}, {encoding_mod, EncMod}, {encoding_config, EncConf}]),
    RH0 = megaco:user_info(Mid, receive_handle),
    RH = RH0#megaco_receive_handle{encoding_mod = EncMod, encoding_config = EncConf, protocol_version = V,
                                   send_mod = case T of udp -> megaco_udp; tcp -> megaco_tcp end},
    case T of
        udp -> {ok, S} = megaco_udp:start_transport(), {ok, _, _} = megaco_udp:open(S, [{port, Port}, {receive_handle, RH}]);
        tcp -> {ok, S} = megaco_tcp:start_transport(), ok = megaco_tcp:listen(S, [{port, Port}, {receive_handle, RH}])
    end,
    io:format("MGC ~p/~p H.248v~p on port ~p, waiting for ServiceChange~n", [T, E, V, Port]),
    CH = receive {sc, H, Txt} -> io:format("<<< ServiceChange~n~s~n", [Txt]), H
         after 30000 -> io:format("FAIL no ServiceChange within 30 s~n"), halt(3) end,
    timer:sleep(200),
    {ok, B} = file:read_file(Script),
    Secs = re:split(binary_to_list(B), "^---[ \t]*\r?\n", [multiline, {return, list}]),
    {_, Bad} = lists:foldl(fun(Sec, Acc) -> section(CH, V, Sec, Acc) end, {#{terms => []}, 0}, Secs),
    io:format("== ~s (~p mismatches)~n", [case Bad of 0 -> "PASS"; _ -> "FAIL" end, Bad]),
    timer:sleep(300),
    halt(case Bad of 0 -> 0; _ -> 1 end).

section(CH, V, S, {Vars, Bad}) ->
    Lines = string:split(S, "\n", all),
    Dirs = [string:trim(tl(L)) || L = [$@|_] <- Lines],
    Body0 = string:join([L || L <- Lines, case L of [$@|_] -> false; [$#|_] -> false; _ -> true end], "\n"),
    [timer:sleep(list_to_integer(string:trim(X))) || "sleep " ++ X <- Dirs],
    Body = string:trim(subst(Body0, Vars)),
    Txt = case [X || "wait notify " ++ X <- Dirs] of
              [Ms] -> receive {notify, _, N} -> io:format("<<< Notify~n~s~n", [N]), N
                      after list_to_integer(string:trim(Ms)) -> "NO NOTIFY" end;
              [] when Body =:= "" -> none;
              [] -> call(CH, V, Body)
          end,
    case Txt of
        none -> {Vars, Bad};
        _ ->
            Vars2 = learn(Txt, Vars),
            Vars3 = lists:foldl(fun("save " ++ R, A) ->
                            [Nm, SRe] = string:split(R, " "),
                            case re:run(Txt, SRe, [dotall, {capture, [1], list}]) of {match, [Cap]} -> A#{Nm => Cap}; _ -> A end;
                          (_, A) -> A end, Vars2, Dirs),
            HasErr = re:run(Txt, "Error = ([0-9]+)", [{capture, [1], list}]),
            WantErr = [string:trim(X) || "error " ++ X <- Dirs],
            C0 = case {HasErr, WantErr} of
                     {nomatch, []} -> 0;
                     {{match, [X]}, [X]} -> 0;
                     {{match, [X]}, ["any"]} -> _ = X, 0;
                     _ -> io:format("!!! error descriptor: got ~p want ~p~n", [HasErr, WantErr]), 1
                 end,
            C1 = [1 || "expect " ++ Re <- Dirs, re:run(Txt, subst(Re, Vars3), [dotall]) =:= nomatch, [io:format("!!! not found: ~s~n", [Re])] =/= x],
            C2 = [1 || "reject " ++ Re <- Dirs, re:run(Txt, subst(Re, Vars3), [dotall]) =/= nomatch, [io:format("!!! found: ~s~n", [Re])] =/= x],
            {Vars3, Bad + C0 + length(C1) + length(C2)}
    end.

call(CH, V, Body) ->
    case txt2acts(request, V, Body) of
        {ok, Acts} ->
            io:format(">>> ~s~n", [Body]),
            T0 = erlang:monotonic_time(microsecond),
            R = megaco:call(CH, Acts, [{request_timer, #megaco_incr_timer{wait_for = 500, factor = 2, incr = 0, max_retries = 4}}]),
            Dt = erlang:monotonic_time(microsecond) - T0,
            Out = case R of
                      {_, {ok, Reps}} when is_list(Reps) -> acts2txt(reply, V, Reps);
                      {_, {ok, Reps, _Extra}} -> acts2txt(reply, V, Reps);
                      {_, {error, {'ErrorDescriptor', C, T}}} -> lists:flatten(io_lib:format("Error = ~p { ~p } (transaction error)", [C, T]));
                      {_, {error, Rsn}} -> lists:flatten(io_lib:format("Error = 0 ~p", [Rsn]))
                  end,
            io:format("<<< (~p us)~n~s~n", [Dt, Out]), Out;
        E -> io:format("!!! script body does not decode: ~p~n~s~n", [E, Body]), "Error = 1 script"
    end.

learn(Txt, Vars) ->
    V1 = case re:run(Txt, "Context = ([0-9]+)", [{capture, [1], list}]) of {match, [C]} -> Vars#{"ctx" => C}; _ -> Vars end,
    case re:run(Txt, "\\bAdd = ([^\\s,{}]+)", [global, {capture, [1], list}]) of
        {match, Ms} ->
            lists:foldl(fun([T], A = #{terms := L}) ->
                            L2 = L ++ [T], A#{terms => L2, "t" ++ integer_to_list(length(L2)) => T} end, V1, Ms);
        _ -> V1
    end.
subst(S, Vars) ->
    maps:fold(fun(K, X, A) when is_list(K) -> lists:flatten(string:replace(A, "${" ++ K ++ "}", X, all)); (_, _, A) -> A end, S, Vars).

%% ---------------------------------------------------------------- toy MG
mg(T, E, Port, V, Secs) ->
    ok = start_app(), ets:new(h248, [named_table, public]), ets:insert(h248, [{role, mg}, {main, self()}, {version, V}, {n, 0}]),
    Mid = {ip4Address, {'IP4Address', [127,0,0,1], 29440}},
    {EncMod, EncConf} = case E of berstd -> {?MODULE, []}; _ -> mod(E) end,
    ok = megaco:start_user(Mid, [{user_mod, ?MODULE}, {protocol_version, V}, {encoding_mod, EncMod}, {encoding_config, EncConf},
                                 {send_mod, case T of udp -> megaco_udp; tcp -> megaco_tcp end}]),
    RH0 = megaco:user_info(Mid, receive_handle),
    RH = RH0#megaco_receive_handle{protocol_version = V},
    {SH, CP} = case T of
        udp -> {ok, S} = megaco_udp:start_transport(), {ok, H0, C0} = megaco_udp:open(S, [{port, 0}, {receive_handle, RH}]),
               {megaco_udp:create_send_handle(H0, "127.0.0.1", Port), C0};
        tcp -> {ok, S} = megaco_tcp:start_transport(),
               {ok, H0, C0} = megaco_tcp:connect(S, [{host, "127.0.0.1"}, {port, Port}, {receive_handle, RH}]), {H0, C0}
    end,
    {ok, CH} = megaco:connect(RH, preliminary_mid, SH, CP),
    {ok, SC} = txt2acts(request, V, "Context = - { ServiceChange = ROOT { Services { Method = Restart, Reason = \"901 Cold Boot\", Profile = ETSI_BGF/1" ++
                            case V of 1 -> ""; _ -> io_lib:format(", Version = ~p", [V]) end ++ " } } }"),
    case megaco:call(CH, SC, []) of
        {_, {ok, Reps}} -> io:format("MG registered: ~s~n", [acts2txt(reply, V, Reps)]);
        X -> io:format("MG registration failed ~p~n", [X]), halt(1)
    end,
    timer:sleep(Secs * 1000), halt(0).

mg_req(CH, V, Acts) ->
    try
        Txt = string:join([mg_act(CH, V, A) || A <- Acts], ",\n"),
        case txt2acts(reply, V, Txt) of
            {ok, R} -> {discard_ack, R};
            Er -> io:format("MG reply template bad ~p~n~s~n", [Er, Txt]), {discard_ack, {'ErrorDescriptor', 500, "template"}}
        end
    catch C:Rs:St -> io:format("MG crash ~p ~p ~p~n", [C, Rs, St]), {discard_ack, {'ErrorDescriptor', 500, "internal"}}
    end.
mg_act(CH, V, A) ->
    Ctx = case element(2, A) of 16#FFFFFFFE -> next(); 0 -> null; 16#FFFFFFFF -> all; N -> N end,
    CtxT = case Ctx of null -> "-"; all -> "*"; _ -> integer_to_list(Ctx) end,
    Cmds = [mg_cmd(CH, V, Ctx, element(2, C)) || C <- element(5, A)],
    "Context = " ++ CtxT ++ " { " ++ string:join(Cmds, ", ") ++ " }".
mg_cmd(_, V, _, {addReq, R}) ->
    [T] = element(2, R),
    Tid = string:replace(tid_txt(T), "$", integer_to_list(next())),
    Txt = acts2txt(request, V, [act1(V, {addReq, R})]),
    Strs = case re:run(Txt, "Stream = ([0-9]+) \\{.*?Local \\{ ?\n(.*?)\n\\s*\\}", [global, dotall, {capture, [1,2], list}]) of
               {match, Ms} -> [io_lib:format("Stream = ~s { Local {\n~s\n} }", [N, sdp(S)]) || [N, S] <- Ms]; _ -> [] end,
    lists:flatten(["Add = ", Tid, case Strs of [] -> ""; _ -> [" { Media { ", lists:join(", ", Strs), " } }"] end]);
mg_cmd(CH, V, Ctx, {modReq, R}) ->
    [T] = element(2, R),
    Txt = acts2txt(request, V, [act1(V, {modReq, R})]),
    case re:run(Txt, "Events = ([0-9]+) \\{\\s*([a-z]+/[a-z]+)", [{capture, [1,2], list}]) of
        {match, [Rid, Ev]} ->
            spawn(fun() -> timer:sleep(300),
                {ok, N} = txt2acts(request, V, io_lib:format("Context = ~p { Notify = ~s { ObservedEvents = ~s { 20261120T18000000:~s } } }", [Ctx, tid_txt(T), Rid, Ev])),
                io:format("MG notify result ~p~n", [megaco:call(CH, N, [])]) end);
        _ -> ok
    end,
    "Modify = " ++ tid_txt(T);
mg_cmd(_, _, _, {subtractReq, R}) ->
    [T] = element(2, R),
    "Subtract = " ++ tid_txt(T) ++ " { Statistics { rtp/ps = 100, rtp/pr = 98, rtp/pl = 2, rtp/jit = 1, rtp/delay = 3, nt/os = 16000, nt/or = 15680 } }";
mg_cmd(_, _, _, {auditValueRequest, R}) ->
    T = element(2, R), Tid = tid_txt(if is_list(T) -> hd(T); true -> T end),
    case Tid of
        "root" -> "AuditValue = ROOT { Packages { g-2, nt-1, rtp-1 } }";
        "ROOT" -> "AuditValue = ROOT { Packages { g-2, nt-1, rtp-1 } }";
        _ -> case string:find(Tid, "99") of
                 nomatch -> "AuditValue = " ++ Tid ++ " { Statistics { rtp/ps = 100, rtp/pr = 98 } }";
                 _ -> "AuditValue = " ++ Tid ++ " { Error = 430 { \"Unknown TerminationID\" } }" end
    end;
mg_cmd(_, _, _, _) -> "Error = 501 { \"Not implemented\" }".
act1(_V, Cmd) -> {'ActionRequest', 1, asn1_NOVALUE, asn1_NOVALUE, [{'CommandRequest', Cmd, asn1_NOVALUE, asn1_NOVALUE}]}.
sdp(S) -> S1 = re:replace(S, "IN IP4 \\$", "IN IP4 127.0.0.1", [{return, list}]),
    re:replace(S1, "(m=[a-z]+) \\$", "\\1 " ++ integer_to_list(40000 + 2 * next()), [{return, list}]).
tid_txt(#megaco_term_id{id = L}) -> string:join(L, "/").
next() -> ets:update_counter(h248, n, 1).

%% ---------------------------------------------------------------- megaco_user callbacks
start_app() -> case megaco:start() of ok -> ok; {error, {already_started, _}} -> ok; E -> E end.
main_pid() -> [{_, P}] = ets:lookup(h248, main), P.
role() -> [{_, R}] = ets:lookup(h248, role), R.
handle_connect(_CH, _V) -> ok.
handle_connect(_CH, _V, _X) -> ok.
handle_disconnect(CH, _V, R) -> io:format("** disconnect ~p~n", [R]), megaco:cancel(CH, R), ok.
handle_syntax_error(_RH, _V, ED) -> io:format("** SYNTAX ERROR in received message ~p~n", [ED]), reply.
handle_syntax_error(RH, V, ED, _) -> handle_syntax_error(RH, V, ED).
handle_message_error(_CH, _V, ED) -> io:format("** MESSAGE ERROR ~p~n", [ED]), no_reply.
handle_message_error(CH, V, ED, _) -> handle_message_error(CH, V, ED).
handle_trans_request(CH, V, Acts) ->
    case role() of
        mg -> mg_req(CH, V, Acts);
        mgc ->
            Txt = acts2txt(request, V, Acts),
            case {re:run(Txt, "ServiceChange = ([^\\s{]+)", [{capture, [1], list}]), re:run(Txt, "Notify = ([^\\s{]+)", [{capture, [1], list}]),
                  re:run(Txt, "Context = ([^\\s{]+)", [{capture, [1], list}])} of
                {{match, [T]}, _, {match, [C]}} ->
                    [{_, MyV}] = ets:lookup(h248, version),
                    main_pid() ! {sc, CH, Txt},
                    Ver = case V of 1 when MyV > 1 -> ""; 1 -> ""; _ -> " { Services { Version = " ++ integer_to_list(MyV) ++ " } }" end,
                    {ok, R} = txt2acts(reply, V, "Context = " ++ C ++ " { ServiceChange = " ++ T ++ Ver ++ " }"),
                    {discard_ack, R};
                {_, {match, [T]}, {match, [C]}} ->
                    main_pid() ! {notify, CH, Txt},
                    {ok, R} = txt2acts(reply, V, "Context = " ++ C ++ " { Notify = " ++ T ++ " }"),
                    {discard_ack, R};
                _ -> io:format("** unhandled request~n~s~n", [Txt]), {discard_ack, {'ErrorDescriptor', 501, "not implemented"}}
            end
    end.
handle_trans_request(CH, V, A, _) -> handle_trans_request(CH, V, A).
handle_trans_long_request(_CH, _V, _R) -> {discard_ack, {'ErrorDescriptor', 501, "x"}}.
handle_trans_long_request(CH, V, R, _) -> handle_trans_long_request(CH, V, R).
handle_trans_reply(_CH, _V, _R, _D) -> ok.
handle_trans_reply(CH, V, R, D, _) -> handle_trans_reply(CH, V, R, D).
handle_trans_ack(_CH, _V, _S, _D) -> ok.
handle_trans_ack(CH, V, S, D, _) -> handle_trans_ack(CH, V, S, D).
handle_unexpected_trans(_CH, _V, T) -> io:format("** UNEXPECTED TRANSACTION ~p~n", [T]), ok.
handle_unexpected_trans(CH, V, T, _) -> handle_unexpected_trans(CH, V, T).
handle_trans_request_abort(_CH, _V, _T, _P) -> ok.
handle_trans_request_abort(_CH, _V, _T, _P, _) -> ok.
handle_segment_reply(_CH, _V, _T, _S, _C) -> ok.
handle_segment_reply(_CH, _V, _T, _S, _C, _) -> ok.
