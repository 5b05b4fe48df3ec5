# Runs `worker`, `serve`, `migrate` and every other command of the CLI: docker run tollgate <command>
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production TOLLGATE_HOME=/data
WORKDIR /app
# What the data folder holds is the running user's; a named volume takes that over when it is new.
RUN mkdir /data && chown node:node /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json tollgate.config.ts index.ts ./
COPY activities ./activities
COPY adapters ./adapters
COPY client ./client
COPY config ./config
COPY contracts ./contracts
COPY domain ./domain
COPY tasks ./tasks
COPY telemetry ./telemetry
COPY worker ./worker
COPY workflows ./workflows
USER node
VOLUME /data
EXPOSE 7480
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "client/cli/bin.mjs"]
CMD ["worker"]
