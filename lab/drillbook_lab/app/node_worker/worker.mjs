// `node worker.mjs SETTINGS NAME`: a worker of the queue on Node, with the settings file of those in Python.
//
// The two share one queue, so what one has begun the other may end: the same locks, the same sweep, the same statement in
// the database, whose primary key lets a job that is delivered again do nothing more.
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { Worker } from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";

const QUEUE = "webhooks";
const HOST = "127.0.0.1";
const WORK_MS = 5;
const OPTIONS = { lockDuration: 3000, stalledInterval: 2000, maxStalledCount: 5, drainDelay: 2, runRetryDelay: 300 };

// As DO_JOB of the workers in Python.
const DO_JOB = `
WITH done AS (
    INSERT INTO items (id, kind, value) VALUES ($1::text, $2, $3::jsonb)
    ON CONFLICT (id) DO NOTHING RETURNING id
), redelivered AS (
    INSERT INTO job_redeliveries (job_id, worker, attempt)
    SELECT $1::text, $4::text, $5::integer WHERE NOT EXISTS (SELECT FROM done)
)
INSERT INTO job_runs (job_id, worker, attempt) SELECT id, $4::text, $5::integer FROM done`;

const [, , settingsFile, name] = process.argv;
const settings = parseEnv(readFileSync(settingsFile, "utf8"));

const say = (level, message, more = {}) =>
  console.log(JSON.stringify({ at: new Date().toISOString(), level, service: "worker", message, worker: name, ...more }));

const ca = readFileSync(settings.REDIS_CA);
const connection = new Redis({
  name: settings.REDIS_MASTER,
  sentinels: settings.REDIS_SENTINELS.split(",").map((port) => ({ host: HOST, port: Number(port) })),
  sentinelPassword: settings.REDIS_SENTINEL_PASSWORD,
  username: settings.REDIS_USERNAME,
  password: settings.REDIS_PASSWORD,
  natMap: Object.fromEntries(
    settings.REDIS_NAT.split(",")
      .map((pair) => pair.split("="))
      .map(([real, link]) => [`${HOST}:${real}`, { host: HOST, port: Number(link) }]),
  ),
  tls: { ca },
  sentinelTLS: { ca },
  enableTLSForSentinelMode: true,
  maxRetriesPerRequest: null,
});
connection.on("error", (error) => say("error", "the queue does not answer", { error: error.message }));

const pool = new pg.Pool({ connectionString: settings.DATABASE_URL, application_name: name, max: 4 });
pool.on("error", (error) => say("error", "the database does not answer", { error: error.message }));

async function work(job) {
  const { id, kind, payload } = job.data;
  const attempt = job.attemptsMade + 1;
  await new Promise((done) => setTimeout(done, Number(payload.work_ms ?? WORK_MS)));
  if (kind === "poison" || attempt <= Number(payload.fail_attempts ?? 0)) {
    throw new Error(`${kind} job ${id} failed at attempt ${attempt}`);
  }
  await pool.query(DO_JOB, [id, kind, payload, name, attempt]);
  return { worker: name };
}

// It stands in for three workers in Python.
const concurrency = 3 * Number(settings.CONCURRENCY);
const worker = new Worker(QUEUE, work, { ...OPTIONS, connection, name, concurrency });
worker.on("error", (error) => say("error", "the queue does not answer", { error: error.message }));
worker.on("failed", (job, error) => say("error", "a job failed", { job: job?.id, error: error.message }));
say("info", "started");

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await worker.close();
    await pool.end();
    connection.disconnect();
  });
}
