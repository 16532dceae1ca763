/** Help dialog: the shortcuts that work on the page that is open. */
import { Kbd } from '@mantine/core'
import { keys } from '@/shared/i18n'
import { byTitle } from '@/shared/keyboard/shortcuts'
import { shortcuts } from '@/shared/keyboard/useShortcuts'
import { Dialog } from '@/shared/ui/Dialog'
import classes from './HelpDialog.module.css'

export function HelpDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={keys.title} size="lg">
      <dl className={classes.list}>
        {isOpen &&
          byTitle([...shortcuts.list(), ...keys.everywhere]).map(({ title, chords }) => (
            <div key={title} className={classes.row}>
              <dt>{title}</dt>
              <dd>
                {chords.map((chord, at) => (
                  <span key={chord}>
                    {at > 0 && <i>{keys.or}</i>}
                    {chord.split(' ').map((key, place) => (
                      <Kbd key={place}>{key}</Kbd>
                    ))}
                  </span>
                ))}
              </dd>
            </div>
          ))}
      </dl>
    </Dialog>
  )
}
