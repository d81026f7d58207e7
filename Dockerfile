# The runner's image, from a clean checkout: `docker build -t stillpoint .`, or `npm run image`.
# It holds Node, the libraries that Node needs, the runner and root certificates: no shell, no package manager.
ARG NODE_IMAGE=node:24
# Whatever base stands in, its libraries are not used.
ARG BASE=scratch

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --prefer-offline --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/bundle.mjs scripts/rootfs.mjs ./scripts/
COPY src ./src
COPY runner ./runner
RUN node scripts/bundle.mjs --outdir /app && node scripts/rootfs.mjs /app /rootfs

FROM ${BASE}
LABEL org.opencontainers.image.title="stillpoint" \
      org.opencontainers.image.description="Application-consistent backups for databases on Kubernetes"
COPY --from=build /rootfs/ /
# Compiled code of the runner; read only, so that it also serves a read-only root file system.
ENV NODE_COMPILE_CACHE=/app/cache HOME=/tmp
USER 65532:65532
# By the loader and the libraries in /app/lib: it runs on any base, and copied into any other image too. V8 lets the garbage of
# a short run grow to three times its semi-space before it looks at it: the small one saves a fifth of the memory.
ENTRYPOINT ["/app/lib/ld.so", "--library-path", "/app/lib", "/app/bin/node", "--max-semi-space-size=1", "/app/stillpoint.mjs"]
