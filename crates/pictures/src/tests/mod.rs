mod far;
mod hostile;
mod offers;
mod rooms;
mod shell;
