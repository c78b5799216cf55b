# The image: build on Debian slim, run on Debian slim with nothing but the libraries.
#
#   docker build -t postern .
#   docker run --read-only -p 8025:8025 -e POSTERN_RELAY_FILE=/run/secrets/relay \
#     -e POSTERN_API_KEYS_FILE=/run/secrets/keys … postern

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential pkg-config \
      libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev libidn2-dev libssl-dev libsqlite3-dev \
      libpq-dev libc-ares-dev libpsl-dev zlib1g-dev
WORKDIR /src
COPY VERSION Makefile openapi.yaml ./
COPY base base
COPY mime mime
COPY smtp smtp
COPY dkim dkim
COPY dns dns
COPY queue queue
COPY template template
COPY hook hook
COPY lint lint
COPY dialect dialect
COPY pack pack
COPY templates templates
COPY service service
RUN make build/postern && strip build/postern

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libmicrohttpd12 \
      libjansson4 libcurl4 libidn2-0 libssl3 libsqlite3-0 libpq5 libc-ares2 libpsl5 zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /usr/share/doc /usr/share/man /usr/share/locale
COPY --from=build /src/build/postern /usr/local/bin/postern
# Any user without rights does; the number lets Kubernetes see that it isn't root.
USER 65532:65532
ENV POSTERN_LISTEN=0.0.0.0:8025
EXPOSE 8025
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=2s CMD ["/usr/local/bin/postern", "health"]
ENTRYPOINT ["/usr/local/bin/postern"]
CMD ["serve"]
