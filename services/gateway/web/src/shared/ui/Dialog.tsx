/** Dialog: a window above the page, closed by its button, Escape or a click beside it. */
import { Modal, type ModalProps } from '@mantine/core'
import { keys } from '@/shared/i18n'

interface Props extends Pick<ModalProps, 'title' | 'size' | 'children'> {
  isOpen: boolean
  onClose: () => void
}

export function Dialog({ isOpen, ...rest }: Props) {
  return <Modal opened={isOpen} lockScroll={false} centered closeButtonProps={{ 'aria-label': keys.close }} {...rest} />
}
