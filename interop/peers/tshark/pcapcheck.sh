#!/bin/bash
# pcapcheck.sh FILE [tshark options]
# Lets Wireshark's dissectors read a capture. Prints how many packets hold which protocols, and every packet that is called
# malformed or carries an expert error. Exit 1 when there is one, or when nothing could be read at all.
# Useful options: -d tcp.port==2944,megaco (never tpkt: it hides the message); -o tls.keylog_file:F for TLS.
set -u -o pipefail
file=$1
shift
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

read_capture() {
    # Checksums are left to the hardware on real captures, so they are not judged.
    tshark -r "$file" -o udp.check_checksum:FALSE -o tcp.check_checksum:FALSE -o ip.check_checksum:FALSE \
        --enable-heuristic rtp_udp --enable-heuristic rtcp_udp --enable-heuristic stun_udp "$@" 2>/dev/null
}

read_capture "$@" -T fields -e frame.protocols >"$lines" || { echo "errors: tshark cannot read $file"; exit 1; }
echo "packets: $(wc -l <"$lines")"
[ -s "$lines" ] || { echo "errors: the capture is empty"; exit 1; }
sort "$lines" | uniq -c | sort -rn | head -30

read_capture "$@" -Y '_ws.malformed || _ws.expert.severity >= "Error"' \
    -T fields -e frame.number -e frame.protocols -e _ws.expert.message >"$lines" || exit 1
head -40 "$lines"
count=$(wc -l <"$lines")
echo "errors: $count"
[ "$count" = 0 ]
