import { describe, test } from 'vitest'
import { missingProgram } from '../support/programs.ts'
import { describeFaults } from './faults-suite.ts'
import { bundledLog } from '../support/killable-log.ts'

const missing = await missingProgram(['kcat', '-V'])

if (missing !== undefined) describe('a cluster on the bundled log', () => test.skip(missing))
else describeFaults('the bundled log', Number(process.env['TIDEWIRE_FAULTS'] ?? 8), bundledLog)
