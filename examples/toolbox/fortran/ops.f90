module ops
  implicit none
contains
  integer function size_of(rows, columns)
    integer, intent(in) :: rows, columns
    size_of = rows * columns
  end function
end module

program check
  use ops
  implicit none
  if (size_of(3, 4) /= 12) stop 1
end program
