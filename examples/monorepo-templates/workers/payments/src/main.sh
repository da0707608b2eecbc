serve payments
