/** One contender doing one thing in a process of its own: `CONTENDER produce|consume TASK`, the result as JSON. */
import { contenders, type ConsumeTask, type ProduceTask } from './contenders.ts'

const [name = '', what, task = ''] = process.argv.slice(2)
const contender = contenders[name]
if (contender === undefined) throw new Error(`no contender ${name}`)
const measured =
  what === 'produce'
    ? await contender.produce(JSON.parse(task) as ProduceTask)
    : await contender.consume(JSON.parse(task) as ConsumeTask)
console.log(JSON.stringify(measured))
process.exit(0)
