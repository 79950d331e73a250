# syntax=docker/dockerfile:1
# The gateway in a container: built in one image, run in another without compiler, root or capabilities.
#
#   docker build -t agw .
#   docker run --network host --cap-drop ALL --security-opt no-new-privileges --read-only \
#       -v /etc/agw/agw.toml:/etc/agw/agw.toml:ro agw run -c /etc/agw/agw.toml
#
# Host networking, because a gateway that hands out tens of thousands of UDP ports gains nothing from having each of them
# translated once more. All ports are above 1023, so not one capability is needed.

FROM rust:1.95.0-bookworm AS build
# The image's own toolchain; rust-toolchain.toml would fetch formatter and linter too.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
# The feature is TLS with pre-shared keys; this image has the headers of OpenSSL that it needs.
RUN cargo build --release --locked --package agw --features openssl \
    && install -D target/release/agw /out/agw

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10470 --no-create-home --shell /usr/sbin/nologin agw
COPY --from=build /out/agw /usr/local/bin/agw
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/agw/
USER 10470:10470
# Begins a drain: no new calls, the running ones may end (drain_deadline_s, 30 s); give `docker stop` a longer --time than that.
STOPSIGNAL SIGTERM
# Alive as the admin interface sees it. The slim image has no HTTP client, but bash can open a TCP connection.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/bin/bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/9470 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["/usr/local/bin/agw"]
CMD ["run"]
