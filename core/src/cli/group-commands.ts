import type { Command } from 'commander'
import { asksLog, examples, type LogCommandOptions } from './command-options.ts'
import { runOnLog } from './log-connection.ts'

/** `tidewire group …` */
export function groupCommands(program: Command): void {
  const group = program.command('group').description('groups of consumers; that of a sink is connect-<its name>')

  asksLog(group.command('list'))
    .alias('ls')
    .description('all groups')
    .action(async (options: LogCommandOptions) => {
      const { listGroups } = await import('./groups.ts')
      await runOnLog(options, (client, out) => listGroups(client, out))
    })

  asksLog(group.command('lag'))
    .description('how far a group is behind, partition by partition')
    .argument('<group>')
    .addHelpText('after', examples('tidewire group lag connect-sensors-to-file'))
    .action(async (name: string, options: LogCommandOptions) => {
      const { showLag } = await import('./groups.ts')
      await runOnLog(options, (client, out) => showLag(client, out, name))
    })
}
