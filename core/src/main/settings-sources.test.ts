import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseWorkerConfig, workerSettings } from '../config/worker-settings.ts'
import { gatherSettings } from './settings-sources.ts'

const folder = mkdtempSync(join(tmpdir(), 'settings-'))
const keys = join(folder, 'keys.properties')
const file = join(folder, 'worker.properties')
writeFileSync(keys, 'group=from-file\njaas=Login required password="p"\\;\n')
afterAll(() => rmSync(folder, { recursive: true }))

const gather = async (text: string, flags: Readonly<Record<string, string>> = {}) => {
  writeFileSync(file, text)
  return gatherSettings({ file, flags, env: {} }, workerSettings, () => false)
}

describe('a worker’s own settings', () => {
  test('may refer to its config providers, in the file and in flags', async () => {
    const text = `config.providers=file\ngroup.id=\${file:${keys}:group}-1\n`
    const gathered = await gather(text, { 'sasl.jaas.config': `\${file:${keys}:jaas}` })
    expect(gathered).toMatchObject({ 'group.id': 'from-file-1', 'sasl.jaas.config': 'Login required password="p";' })
    expect(parseWorkerConfig(gathered)).toMatchObject({
      errors: {},
      warnings: [],
      configProviders: [{ name: 'file', kind: 'file' }],
    })
  })

  test('that refer to nothing stop it, by name; without providers they are text', async () => {
    await expect(gather(`config.providers=file\ngroup.id=\${file:${keys}:none}\n`)).rejects.toThrow(
      `Configuration group.id: \${file:${keys}:none} cannot be resolved`,
    )
    await expect(gather('config.providers=vault\n')).rejects.toThrow('config.providers.vault.class')
    expect(await gather(`group.id=\${file:${keys}:group}\n`)).toEqual({ 'group.id': `\${file:${keys}:group}` })
  })

  test('of providers are known by whatever name, others are not', async () => {
    const known = { 'config.providers': 'a', 'config.providers.a.class': 'EnvVarConfigProvider' }
    expect(await gather('', known)).toEqual(known)
    await expect(gather('config.provider=file\n')).rejects.toThrow('did you mean config.providers?')
  })
})
