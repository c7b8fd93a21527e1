# The gateway without development packages: no compiler, no demo provider, no Node beside the image's own.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json ./
RUN npm ci --omit=optional
COPY src ./src
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
# Fewer arenas of malloc: some 5 MB of memory less, at no cost that could be measured.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE NOTICE ./
COPY policies ./policies
COPY policy-tests ./policy-tests
RUN mkdir -p /var/lib/castellan && chown node:node /var/lib/castellan && ln -s /app/dist/main.js /usr/local/bin/castellan
USER node
EXPOSE 8080
VOLUME /var/lib/castellan
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["castellan"]
CMD ["serve", "--config", "/etc/castellan/castellan.yaml"]
