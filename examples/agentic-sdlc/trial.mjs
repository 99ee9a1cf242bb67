// Sends a pipeline through the stack and fails unless all of its tasks are completed: for `devstack rehearse --trial`.
const orchestrator = process.env.ORCHESTRATOR_URL;
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

async function ask(path, options) {
  const response = await fetch(orchestrator + path, { ...options, signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const { id } = await ask('/pipelines', { method: 'POST', body: JSON.stringify({ name: 'rehearsal' }) });
let pipeline = await ask(`/pipelines/${id}`);
while (pipeline.status === 'running') {
  await pause();
  pipeline = await ask(`/pipelines/${id}`);
}
const completed = pipeline.tasks.filter((task) => task.status === 'completed').length;
if (pipeline.status !== 'completed' || completed !== pipeline.tasks.length) throw new Error(JSON.stringify(pipeline));
console.log(`${completed} of ${pipeline.tasks.length} tasks completed`);
