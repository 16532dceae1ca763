/** Help dialog: the shortcuts that work on the page that is open. */
import { Kbd, Modal } from '@mantine/core'
import { keys } from '../strings'
import classes from './HelpDialog.module.css'
import { shortcuts } from './useShortcuts'

export function HelpDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={keys.title}
      size="sm"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': keys.close }}
    >
      <dl className={classes.list}>
        {isOpen &&
          shortcuts.list().map((shortcut) => (
            <div key={shortcut.keys} className={classes.row}>
              <dt>{shortcut.title}</dt>
              <dd>
                {shortcut.keys.split(' ').map((key) => (
                  <Kbd key={key}>{key}</Kbd>
                ))}
              </dd>
            </div>
          ))}
      </dl>
    </Modal>
  )
}
