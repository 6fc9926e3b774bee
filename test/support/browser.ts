/** A real browser, Debian's Chromium, for tests of the console. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

/** Where the machine has it; undefined where it has none. `CHROMIUM` names another. */
export function chromiumPath(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const given = process.env['CHROMIUM']
  const paths = given === undefined ? folders.flatMap((folder) => names.map((name) => join(folder, name))) : [given]
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @throws Error where there is none */
export async function startBrowser(): Promise<Browser> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error('there is no Chromium on this machine')
  // CI runs as root in a container, where the browser's own sandbox cannot be made; what it opens is ours.
  return chromium.launch({ executablePath, chromiumSandbox: false, args: ['--disable-dev-shm-usage'] })
}
